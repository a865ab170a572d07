import cv2
import numpy as np
import pytest
from synthetic import (
    battery,
    camera_info,
    camera_rows,
    header,
    image,
    log_of,
    rgb_of,
    Row,
    stamp_of,
    STORE,
    write_rows,
)

from depthsync_ros.bags.frames import CameraChoice, find_camera, read_frames
from depthsync_ros.bags.storage import BagReader, BagVocabulary
from depthsync_ros.core.errors import InputError

WORDS = BagVocabulary()


def frames(bag, **choice):
    with BagReader(bag) as reader:
        return list(read_frames(reader, find_camera(reader, CameraChoice(**choice), WORDS)))


def refused(bag, said, **choice):
    with pytest.raises(InputError, match=said):
        frames(bag, **choice)


def depth_row(number, topic='/cam/depth/image_raw'):
    message = image(stamp_of(number), np.zeros((12, 16, 3), np.uint8), encoding='16UC1')
    message.step, message.data = 32, message.data[: 32 * 12]
    return Row(topic, log_of(number), message)


def compressed_row(number, text='jpeg', topic='/cam/image_raw/compressed'):
    data = cv2.imencode('.png', rgb_of(number)[..., ::-1])[1]
    message = STORE.types['sensor_msgs/msg/CompressedImage'](
        header=header(stamp_of(number)), format=text, data=data.reshape(-1)
    )
    return Row(topic, log_of(number), message)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_frames_have_the_images_pixels_and_stamps_to_the_nanosecond(tmp_path, storage) -> None:
    bag = write_rows(tmp_path / 'bag', camera_rows(5), storage)

    seen = frames(bag)

    assert [log_ns for log_ns, _ in seen] == [log_of(number) for number in range(5)]
    for number, (_, frame) in enumerate(seen):
        assert frame.stamp_ns == stamp_of(number)
        assert frame.frame_id == 'cam_optical'
        assert np.array_equal(frame.rgb, rgb_of(number))
        assert (frame.camera.fx, frame.camera.cx) == (20.0, 7.5)


def test_frames_are_read_one_at_a_time(tmp_path) -> None:
    rows = camera_rows(3)
    rows[-2].message.encoding = 'nonsense'
    bag = write_rows(tmp_path / 'bag', rows)

    with BagReader(bag) as reader:
        seen = read_frames(reader, find_camera(reader, CameraChoice(), WORDS))
        next(seen)
        next(seen)
        with pytest.raises(InputError, match="nonsense' is unknown"):
            next(seen)


def test_compressed_images_are_found_and_read(tmp_path) -> None:
    infos = [row for row in camera_rows(3) if row.topic == '/cam/camera_info']
    bag = write_rows(tmp_path / 'bag', [*infos, *(compressed_row(n, 'png') for n in range(3))])

    seen = frames(bag)

    assert [frame.stamp_ns for _, frame in seen] == [stamp_of(n) for n in range(3)]
    assert np.array_equal(seen[2][1].rgb, rgb_of(2))


def test_depth_topics_are_not_taken_for_cameras(tmp_path) -> None:
    rows = [*camera_rows(3), *(depth_row(n) for n in range(3))]
    rows.append(compressed_row(0, '16UC1; compressedDepth png', '/cam/depth/compressedDepth'))

    assert len(frames(write_rows(tmp_path / 'bag', rows))) == 3


def test_a_depth_topic_that_is_named_is_taken_at_its_word(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', [*camera_rows(2), *(depth_row(n) for n in range(2))])

    seen = frames(bag, image_topic='/cam/depth/image_raw', info_topic='/cam/camera_info')

    assert len(seen) == 2


def second_camera(n_frames, side='right'):
    return [
        Row(row.topic.replace('/cam/', f'/{side}/'), row.log_ns, row.message)
        for row in camera_rows(n_frames)
    ]


def test_of_several_cameras_one_must_be_named(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', [*camera_rows(2), *second_camera(3)])

    refused(
        bag, r'several image topics: /cam/image_raw \(.*, 2\), /right/image_raw .*--image-topic'
    )
    assert len(frames(bag, image_topic='/right/image_raw')) == 3


def test_camera_info_beside_the_image_topic_wins(tmp_path) -> None:
    rows = second_camera(2)
    for row in rows:
        if row.topic.endswith('camera_info'):
            row.message.k = row.message.k * [2, 1, 1, 1, 2, 1, 1, 1, 1]
    bag = write_rows(tmp_path / 'bag', [*camera_rows(2), *rows])

    assert frames(bag, image_topic='/right/image_raw')[0][1].camera.fx == 40.0
    choice = {'image_topic': '/right/image_raw', 'info_topic': '/cam/camera_info'}
    assert frames(bag, **choice)[0][1].camera.fx == 20.0


def test_of_several_camera_infos_elsewhere_one_must_be_named(tmp_path) -> None:
    infos = [Row(f'/{side}/info', log_of(0), camera_info(stamp_of(0))) for side in 'ab']
    bag = write_rows(tmp_path / 'bag', [*camera_rows(2, with_info=False), *infos])

    refused(bag, r'none of them is /cam/camera_info: /a/info .*, /b/info .* choose .*--info-topic')
    assert len(frames(bag, info_topic='/b/info')) == 2


def test_a_bag_without_camera_info_names_what_is_there_and_the_remedy(tmp_path) -> None:
    rows = [*camera_rows(2, with_info=False), Row('/battery', log_of(0), battery(stamp_of(0)))]
    bag = write_rows(tmp_path / 'bag', rows)

    refused(bag, r'no camera_info for /cam/image_raw; there are /battery .*--camera-info FILE')


def test_a_bag_without_images_names_what_is_there(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', [Row('/battery', log_of(0), battery(stamp_of(0)))])
    only_depth = write_rows(tmp_path / 'depth', [depth_row(0)])

    refused(bag, r'holds no images; there are /battery \(robot_msgs/msg/Battery, 1\)')
    refused(only_depth, r'no images but those of depth \(/cam/depth/image_raw')


def test_a_named_topic_that_is_not_there_is_refused(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', camera_rows(2))

    refused(bag, 'image topic /x is not there; there are /cam/image_raw', image_topic='/x')
    refused(bag, 'camera_info topic /x is not there; .* /cam/camera_info', info_topic='/x')


def test_an_unknown_encoding_says_where_and_what_is_known(tmp_path) -> None:
    rows = camera_rows(1)
    rows[0].message.encoding = 'x264'
    bag = write_rows(tmp_path / 'bag', rows)

    refused(bag, rf"/cam/image_raw, image stamped {stamp_of(0)}: .*'x264' is unknown; known are")


def test_one_latched_camera_info_serves_every_image(tmp_path) -> None:
    latched = Row('/cam/camera_info', log_of(0) - 10**9, camera_info(17))
    bag = write_rows(tmp_path / 'bag', [latched, *camera_rows(4, with_info=False)])

    assert [frame.camera.fx for _, frame in frames(bag)] == [20.0] * 4


def test_changing_camera_infos_are_paired_by_stamp(tmp_path) -> None:
    rows = camera_rows(3, with_info=False)
    # In another order than the images: only the stamps say which is which.
    rows += [
        Row('/cam/camera_info', log_of(9 - n), camera_info(stamp_of(n), fx=30.0 + n))
        for n in range(3)
    ]
    bag = write_rows(tmp_path / 'bag', sorted(rows, key=lambda row: row.log_ns))

    assert [frame.camera.fx for _, frame in frames(bag)] == [30.0, 31.0, 32.0]


def test_changing_camera_infos_must_cover_every_image(tmp_path) -> None:
    rows = camera_rows(3, with_info=False)
    rows += [
        Row('/cam/camera_info', log_of(n), camera_info(stamp_of(n), fx=30.0 + n)) for n in (0, 2)
    ]
    bag = write_rows(tmp_path / 'bag', rows)

    refused(bag, rf'camera_info changes \(2 calibrations\) and none is stamped {stamp_of(1)}')


def test_an_image_of_another_size_than_its_calibration_is_refused(tmp_path) -> None:
    rows = camera_rows(1, with_info=False)
    rows.append(Row('/cam/camera_info', log_of(0), camera_info(stamp_of(0), width=32)))

    refused(write_rows(tmp_path / 'bag', rows), 'the image is 16x12, camera_info says 32x12')


CALIBRATION = """
image_width: 16
image_height: 12
camera_matrix: {rows: 3, cols: 3, data: [70.0, 0, 7.5, 0, 70.0, 5.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [60.0, 0, 7.5, 0, 0, 60.0, 5.5, 0, 0, 0, 1, 0]}
"""


def test_a_calibration_file_stands_in_for_camera_info(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', camera_rows(1, with_info=False))
    file = tmp_path / 'cam.yaml'
    file.write_text(CALIBRATION)

    ((_, raw),) = frames(bag, info_file=file)
    ((_, rectified),) = frames(bag, info_file=file, rectified=True)

    assert (raw.camera.fx, raw.camera.distortion[0]) == (70.0, 0.1)
    assert (rectified.camera.fx, rectified.camera.distorted) == (60.0, False)


def test_a_calibration_file_that_is_none_is_refused(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', camera_rows(1))
    (tmp_path / 'list.yaml').write_text('[1, 2]')
    (tmp_path / 'bad.yaml').write_text('a: [1')

    refused(bag, 'list.yaml is not a camera calibration', info_file=tmp_path / 'list.yaml')
    refused(bag, 'bad.yaml cannot be read as YAML', info_file=tmp_path / 'bad.yaml')
    refused(bag, 'none.yaml cannot be read', info_file=tmp_path / 'none.yaml')
