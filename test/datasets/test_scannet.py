import struct
import zlib

import cv2
import numpy as np
import pytest
from wall import check, Wall, write_image

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.scannet import open_scannet

CAMERA = Camera(640, 480, 577.87, 578.73, 319.5, 239.5)
COLOUR_SIZE = (1296, 968)


def intrinsic():
    matrix = np.eye(4)
    matrix[0, 0], matrix[1, 1] = CAMERA.fx, CAMERA.fy
    matrix[0, 2], matrix[1, 2] = CAMERA.cx, CAMERA.cy
    return matrix


def write_exported(path, wall, lost=(), step=1):
    for place in range(wall.frames):
        index = place * step
        write_image(path / f'color/{index}.jpg', wall.rgb(*COLOUR_SIZE))
        write_image(path / f'depth/{index}.png', wall.steps(place, 1000.0))
        pose = np.full((4, 4), -np.inf) if index in lost else wall.world_T_cam(place)
        (path / 'pose').mkdir(exist_ok=True)
        np.savetxt(path / f'pose/{index}.txt', pose, fmt='%f')
    (path / 'intrinsic').mkdir()
    np.savetxt(path / 'intrinsic/intrinsic_depth.txt', intrinsic(), fmt='%f')
    np.savetxt(path / 'intrinsic/intrinsic_color.txt', 2.0 * intrinsic(), fmt='%f')


def write_sens(file, wall, lost=()):
    """Write the format of SensReader, version 4, field by field."""
    name = b'StructureSensor'
    data = struct.pack('<IQ', 4, len(name)) + name
    colour = 2.0 * intrinsic()  # of the larger colour image
    for matrix in (colour, np.eye(4), intrinsic(), np.eye(4)):
        data += struct.pack('<16f', *matrix.ravel())
    data += struct.pack('<ii', 2, 1)  # JPEG, zlib
    data += struct.pack('<4If', *COLOUR_SIZE, CAMERA.width, CAMERA.height, 1000.0)
    data += struct.pack('<Q', wall.frames)
    for index in range(wall.frames):
        colour = cv2.imencode('.jpg', wall.rgb(*COLOUR_SIZE)[..., ::-1])[1].tobytes()
        depth = zlib.compress(wall.steps(index, 1000.0).astype('<u2').tobytes())
        pose = np.full((4, 4), -np.inf) if index in lost else wall.world_T_cam(index)
        data += struct.pack('<16f', *pose.ravel())
        data += struct.pack('<4Q', 0, 0, len(colour), len(depth)) + colour + depth
    file.write_bytes(data)


def test_exported_depth_is_millimetres_cropped_and_colour_has_its_size(tmp_path) -> None:
    wall = Wall(CAMERA)
    write_exported(tmp_path / 'scene0707_00', wall)

    (video,) = open_scannet(tmp_path)

    check(video, wall, step_m=0.0005, pose_tolerance=5e-6)  # six decimals
    assert (video.view.width, video.view.height) == (618, 464)
    assert [shot.stamp_ns for shot in video.shots] == [0, 33_333_333, 66_666_666]  # 30 Hz


def test_every_fifth_frame_is_taken_in_the_order_of_numbers_not_of_names(tmp_path) -> None:
    wall = Wall(CAMERA, frames=4)  # 0, 5, 10 and 15: by name, 10 comes before 5
    write_exported(tmp_path / 'scene', wall, step=5)

    (video,) = open_scannet(tmp_path)

    check(video, wall, step_m=0.0005, pose_tolerance=5e-6)
    assert video.shots[1].stamp_ns == 166_666_666


def test_missing_depth_is_counted_and_a_missing_pose_is_named(tmp_path) -> None:
    write_exported(tmp_path / 'scene', Wall(CAMERA))
    (tmp_path / 'scene/depth/1.png').unlink()

    (video,) = open_scannet(tmp_path)

    assert np.isnan(video.read(1).depth_m).all()
    assert video.counts == {'frames without true depth': 1}
    (tmp_path / 'scene/pose/2.txt').unlink()
    with pytest.raises(InputError, match=r'2.txt is missing'):
        open_scannet(tmp_path)


def test_a_scene_without_images_is_refused(tmp_path) -> None:
    write_exported(tmp_path / 'scene', Wall(CAMERA, frames=1))
    (tmp_path / 'scene/color/0.jpg').unlink()

    with pytest.raises(InputError, match='scene: no frame is left'):
        open_scannet(tmp_path)


def test_sens_gives_the_same_frames(tmp_path) -> None:
    wall = Wall(CAMERA)
    (tmp_path / 'scene0707_00').mkdir()
    write_sens(tmp_path / 'scene0707_00/scene0707_00.sens', wall)

    (video,) = open_scannet(tmp_path)

    check(video, wall, step_m=0.0005)  # float32 poses
    assert video.name == 'scene0707_00'


def test_frames_where_tracking_was_lost_have_no_pose(tmp_path) -> None:
    write_exported(tmp_path / 'scene', Wall(CAMERA), lost=(1,))

    write_sens(tmp_path / 'scene.sens', Wall(CAMERA), lost=(1,))

    for source in (tmp_path / 'scene', tmp_path / 'scene.sens'):
        (video,) = open_scannet(source)
        assert video.read(1).world_T_cam is None
        assert video.counts == {'frames without a true pose': 1}


def test_a_sens_file_that_is_cut_off_is_refused(tmp_path) -> None:
    file = tmp_path / 'scene.sens'
    write_sens(file, Wall(CAMERA, frames=2))
    whole = file.read_bytes()

    for kept in (20, 200, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:kept])
        with pytest.raises(InputError, match='cut off'):
            open_scannet(file)


def test_another_version_or_compression_of_sens_is_refused(tmp_path) -> None:
    file = tmp_path / 'scene.sens'
    write_sens(file, Wall(CAMERA, frames=1))
    whole = file.read_bytes()

    file.write_bytes(struct.pack('<I', 3) + whole[4:])
    with pytest.raises(InputError, match='version 3'):
        open_scannet(file)
    place = whole.index(struct.pack('<ii', 2, 1))
    file.write_bytes(whole[:place] + struct.pack('<ii', 2, 2) + whole[place + 8 :])
    with pytest.raises(InputError, match='depth compression 2'):
        open_scannet(file)


def test_a_damaged_image_in_a_sens_file_is_named(tmp_path) -> None:
    file = tmp_path / 'scene.sens'
    write_sens(file, Wall(CAMERA, frames=1))
    whole = bytearray(file.read_bytes())
    whole[-100:] = bytes(100)  # depth is last
    file.write_bytes(whole)
    (video,) = open_scannet(file)

    with pytest.raises(InputError, match='a depth image is damaged'):
        video.read(0)
    whole[whole.index(b'\xff\xd8') :] = bytes(len(whole) - whole.index(b'\xff\xd8'))
    file.write_bytes(whole)
    with pytest.raises(InputError, match='a colour image is damaged'):
        video.read(0)
