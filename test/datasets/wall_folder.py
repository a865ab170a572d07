"""A wall in the plain folder layout."""

import json

from wall import tum_line, write_image

from depthsync_ros.core.camera import Camera

CAMERA = Camera(320, 240, 262.5, 263.0, 159.75, 119.75)


def write(path, wall):
    lines = ''
    for index in range(wall.frames):
        write_image(path / f'rgb/{index:06d}.jpg', wall.rgb())
        write_image(path / f'depth/{index:06d}.png', wall.steps(index, 1000.0))
        lines += tum_line(f'{1305031229.528748 + index / 30:.6f}', wall.world_T_cam(index))
    (path / 'poses.txt').write_text(lines)
    names = ('width', 'height', 'fx', 'fy', 'cx', 'cy')
    numbers = {name: getattr(CAMERA, name) for name in names}
    (path / 'intrinsics.json').write_text(json.dumps(numbers))
