"""The datasets by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.bag import open_bag
from depthsync_ros.datasets.folder import open_folder
from depthsync_ros.datasets.gmu_kitchen import open_gmu_kitchen
from depthsync_ros.datasets.kitti import open_kitti
from depthsync_ros.datasets.scannet import open_scannet
from depthsync_ros.datasets.sequence import Video
from depthsync_ros.datasets.seven_scenes import open_seven_scenes
from depthsync_ros.datasets.tum import open_bonn, open_icl, open_tum

READERS: Mapping[str, Callable[[Path], Sequence[Video]]] = {
    'folder': open_folder,
    'scannet': open_scannet,
    'gmu_kitchen': open_gmu_kitchen,
    'kitti': open_kitti,
    'bonn': open_bonn,
    'tum': open_tum,
    '7scenes': open_seven_scenes,
    'icl_nuim': open_icl,
    'bag': open_bag,
}


def open_dataset(name: str, root: Path) -> Sequence[Video]:
    """
    Open every sequence of a dataset below root, or the one at root.

    :raises InputError: there is no such dataset, or its layout is not the official one.
    """
    if name not in READERS:
        raise InputError(f'there is no dataset {name!r}; known are {", ".join(READERS)}')
    if not root.is_dir() and not root.is_file():
        raise InputError(f'{root} is neither a folder nor a file')
    return READERS[name](root)
