"""The datasets by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.folder import open_folder
from depthsync_ros.datasets.sequence import Video

READERS: Mapping[str, Callable[[Path], Sequence[Video]]] = {
    'folder': open_folder,
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
