"""
Render scenes: `python -m training.render --out DIR --split train --scenes 0:400 --workers 1`.

Train scenes become one .npz each (a path of 24 frames and eight single views at 256x192); val and
test scenes become a folder each (one path at 320x240). A scene that is already there is skipped.
"""

import argparse
import json
import multiprocessing
import os
from pathlib import Path
import shutil

import cv2
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from scipy.spatial.transform import Rotation

os.environ.setdefault('MUJOCO_GL', 'egl')
os.environ.setdefault('LP_NUM_THREADS', '1')

from training.scenes import effects, furniture
from training.scenes.catalogue import read_catalogues
from training.scenes.paths import NoPathError
from training.scenes.shoot import (
    FIRST_NUMBER,
    focal_px,
    FPS,
    GENERATOR_VERSION,
    PATH_KINDS,
    Scene,
    shrink_depth,
    Studio,
    TRAIN_SIZE,
    VIDEO_SIZE,
    View,
)

CLIP_FRAMES, STILLS = 24, 8
TRAIN_DRAWING, VIDEO_DRAWING = (320, 240), (480, 360)


def film_train(studio: Studio, number: int) -> dict[str, np.ndarray]:
    """
    Film a scene's clip and its stills as the arrays of its .npz.

    A still is a path of one frame: rendered rooms cost more than views of them, and views
    from other places teach an image network more than the next frame does.
    """
    scene = studio.scene(number)
    try:
        clip = film_path(scene, CLIP_FRAMES, int(scene.rng.choice([1, 1, 2, 3])))
        parts = [clip, *(film_path(scene, 1, 1) for _ in range(STILLS))]
    finally:
        scene.close()
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    starts = np.cumsum([0] + [len(part['rgb']) for part in parts[:-1]])
    return {**joined, 'starts': starts, 'version': np.int32(GENERATOR_VERSION)}


def film_path(scene: Scene, frames: int, stride: int) -> dict[str, np.ndarray]:
    """Film one path, every `stride`-th frame of 30 Hz, through a lens of its own."""
    fov_deg = scene.choose_fov()
    view = View(fov_deg=fov_deg, drawing=TRAIN_DRAWING, sensor=TRAIN_DRAWING)
    times = np.arange(frames) * stride / FPS
    path = scene.find_path(times[-1], fov_deg, 'short')
    rgb, depth, poses = [], [], []
    for picture, depth_m, pose in scene.film(path, times, view):
        written = effects.decompress(effects.compress(picture, scene.jpeg_quality))
        rgb.append(cv2.resize(written, TRAIN_SIZE, interpolation=cv2.INTER_AREA))
        depth.append(shrink_depth(depth_m, TRAIN_SIZE))
        poses.append(pose)
    width, height = TRAIN_SIZE
    focal = focal_px(fov_deg, width)
    intrinsics = [focal, focal, (width - 1) / 2, (height - 1) / 2]
    return {
        'rgb': np.stack(rgb),
        'depth': np.stack(depth).astype(np.float16),
        'world_T_cam': np.stack(poses).astype(np.float32),
        'intrinsics': np.array([intrinsics], np.float32),
        'fov_deg': np.array([fov_deg], np.float32),
    }


def write_train(studio: Studio, number: int, path: Path) -> None:
    arrays = film_train(studio, number)
    temporary = path.with_suffix('.tmp')
    with temporary.open('wb') as file:
        np.savez(file, **arrays)
    temporary.replace(path)


def write_video(studio: Studio, number: int, folder: Path, frames: int, kind: str) -> None:
    """Film a scene's one path into a folder of pictures, depth and poses."""
    temporary = folder.with_name(folder.name + '.tmp')
    shutil.rmtree(temporary, ignore_errors=True)
    for name in ('rgb', 'depth'):
        (temporary / name).mkdir(parents=True)
    scene = studio.scene(number)
    try:
        fov_deg = scene.choose_fov()
        times = np.arange(frames) / FPS
        path = scene.find_path(times[-1], fov_deg, kind)
        lens = effects.plain_lens() if kind == 'steady' else None
        lines = []
        view = View(fov_deg=fov_deg, drawing=VIDEO_DRAWING, sensor=VIDEO_SIZE)
        for index, (rgb, depth_m, pose) in enumerate(scene.film(path, times, view, lens)):
            data = effects.compress(rgb, scene.jpeg_quality)
            (temporary / 'rgb' / f'{index:06d}.jpg').write_bytes(data)
            millimetres = np.round(shrink_depth(depth_m, VIDEO_SIZE) * 1000)
            cv2.imwrite(
                str(temporary / 'depth' / f'{index:06d}.png'),
                np.clip(millimetres, 0, 65535).astype(np.uint16),
            )
            quat_xyzw = Rotation.from_matrix(pose[:3, :3]).as_quat()
            numbers = ' '.join(f'{value:.7f}' for value in (*pose[:3, 3], *quat_xyzw))
            lines.append(f'{times[index]:.6f} {numbers}\n')
    finally:
        scene.close()
    (temporary / 'poses.txt').write_text(''.join(lines))
    width, height = VIDEO_SIZE
    focal = focal_px(fov_deg, width)
    intrinsics = {'width': width, 'height': height, 'fx': focal, 'fy': focal}
    intrinsics |= {'cx': (width - 1) / 2, 'cy': (height - 1) / 2}
    (temporary / 'intrinsics.json').write_text(json.dumps(intrinsics))
    temporary.replace(folder)


def render_one(job: tuple[argparse.Namespace, int]) -> tuple[int, str]:
    """Render one scene, in a worker; returns its number and why it was left out, if it was."""
    arguments, index = job
    number = FIRST_NUMBER[arguments.split] + index
    out = arguments.out / arguments.split
    target = out / (f'{number:07d}.npz' if arguments.split == 'train' else f'{number:07d}')
    if target.exists():
        return number, ''
    studio = worker_studio(arguments.cache)
    try:
        if arguments.split == 'train':
            write_train(studio, number, target)
        else:
            kind = 'long' if arguments.frames > 200 else 'short'
            write_video(studio, number, target, arguments.frames, arguments.path or kind)
    except NoPathError as error:
        return number, str(error)
    return number, ''


STUDIOS: dict[Path, Studio] = {}  # one per worker process: it owns the GL context


def worker_studio(cache: Path) -> Studio:
    if cache not in STUDIOS:
        STUDIOS[cache] = Studio(read_catalogues(), cache)
    return STUDIOS[cache]


def read_range(text: str) -> range:
    """
    Read FIRST:END.

    >>> read_range('2:5')
    range(2, 5)
    """
    first, end = text.split(':')
    return range(int(first), int(end))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='where the splits are kept')
    parser.add_argument('--split', choices=sorted(FIRST_NUMBER), required=True)
    parser.add_argument(
        '--scenes', type=read_range, required=True, metavar='FIRST:END', help='within the split'
    )
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--frames', type=int, default=150, help='length of a val or test video')
    parser.add_argument('--path', choices=sorted(PATH_KINDS), help='default: by length')
    parser.add_argument('--cache', type=Path, default=furniture.CACHE_DIR)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    (arguments.out / arguments.split).mkdir(parents=True, exist_ok=True)
    jobs = [(arguments, index) for index in arguments.scenes]
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    context = multiprocessing.get_context('spawn')
    with Progress(*columns) as progress, context.Pool(arguments.workers) as pool:
        task = progress.add_task(arguments.split, total=len(jobs))
        for number, reason in pool.imap_unordered(render_one, jobs):
            if reason:
                progress.console.print(f'scene {number} left out: {reason}')
            progress.advance(task)


if __name__ == '__main__':
    main()
