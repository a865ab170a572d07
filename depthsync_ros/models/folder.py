"""Where a model's files are: the embedded folder, a local one, or the hub's cache."""

from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import re
from typing import Any

from safetensors import safe_open, SafetensorError
from torch import Tensor

from depthsync_ros.core.backbone import NoiseRange, Preferences
from depthsync_ros.core.errors import ModelError

EMBEDDED = Path(__file__).parent / 'embedded'
HUB_ID = re.compile(r'[\w.-]+/[\w.-]+')
# The single files of a hub repository that we read; everything else there is left alone.
UNET_FILES = ('config.json', 'depthsync.json', 'diffusion_pytorch_model*.safetensors', 'unet/*')
REST_FILES = (
    'scheduler/*',
    'vae/config.json',
    'vae/diffusion_pytorch_model.fp16.safetensors',
    'image_encoder/config.json',
    'image_encoder/model.fp16.safetensors',
)
WEIGHT_NAMES = tuple(
    f'{stem}{variant}.safetensors'
    for stem in ('diffusion_pytorch_model', 'model')
    for variant in ('', '.fp16')
)
# DepthCrafter's own, for folders that carry no depthsync.json.
NOISE_AUGMENTATION = 0.02
REAL_PREFERENCES = Preferences(window_length=90, window_overlap=30, max_side=1024)


@dataclass(frozen=True)
class Extras:
    """What our optional depthsync.json says beside the networks' own configurations."""

    preferences: Preferences = REAL_PREFERENCES
    noise_augmentation: float = NOISE_AUGMENTATION


@dataclass(frozen=True)
class Part:
    """One network of a model folder: its directory and its configuration."""

    folder: Path
    config: dict[str, Any]

    @property
    def weights_file(self) -> Path:
        """
        The safetensors file, full precision preferred.

        :raises ModelError: there is none.
        """
        for name in WEIGHT_NAMES:
            if (self.folder / name).is_file():
                return self.folder / name
        seen = ', '.join(sorted(path.name for path in self.folder.iterdir())) or 'nothing'
        raise ModelError(
            f'{self.folder} holds no weights: seen {seen}; needed one of '
            f'{", ".join(WEIGHT_NAMES)}; copy the file there, or set model.allow_download = true '
            'for a hub id'
        )

    def read_weights(self) -> dict[str, Tensor]:
        """
        Read the weights into the CPU's memory, in the file's own dtype.

        :raises ModelError: the file is cut short or not safetensors.
        """
        path, tensors = self.weights_file, {}
        try:
            with safe_open(path, framework='pt', device='cpu') as file:
                for name in file.keys():  # noqa: SIM118  not a dict
                    tensors[name] = file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f'{path} of {path.stat().st_size} bytes cannot be read ({error}); a whole '
                'safetensors file is needed; copy or download it again'
            ) from error
        return tensors


def locate(name: str, *, allow_download: bool, files: Sequence[str]) -> Path:
    """
    Turn a name from the settings into a local folder.

    :raises ModelError: there is no such folder, or the hub id is not on this machine and
        may not be, or cannot be, fetched.
    """
    if name == 'embedded':
        return EMBEDDED
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if not HUB_ID.fullmatch(name):
        raise ModelError(
            f'model folder {name!r} does not exist; needed is a folder in diffusers layout, a '
            "hub id such as 'tencent/DepthCrafter', or 'embedded'; check model.path and "
            'model.base'
        )
    return _from_hub(name, allow_download=allow_download, files=files)


def _from_hub(name: str, *, allow_download: bool, files: Sequence[str]) -> Path:
    try:
        from huggingface_hub import errors as hub  # noqa: PLC0415
        from huggingface_hub import snapshot_download  # noqa: PLC0415  only hub ids need it
    except ImportError as error:
        raise ModelError(
            f'{name!r} is a hub id and huggingface_hub is not installed; '
            'pip install huggingface_hub, or give a local folder'
        ) from error
    try:
        found = snapshot_download(
            name, allow_patterns=list(files), local_files_only=not allow_download
        )
    except hub.LocalEntryNotFoundError as error:
        remedy = (
            'the hub could not be reached; check the network'
            if allow_download
            else 'set model.allow_download = true to fetch it, or give a local folder'
        )
        raise ModelError(
            f'{name!r} is neither a folder nor in the hub cache of this machine: {remedy}'
        ) from error
    except (hub.HfHubHTTPError, OSError) as error:
        raise ModelError(
            f'{name!r} could not be fetched from the hub ({error}); check the name and the '
            'network, or give a local folder'
        ) from error
    return Path(found)


def read_part(folder: Path, name: str) -> Part:
    """
    Read the configuration of one network in a model folder.

    :raises ModelError: it is missing or is not JSON.
    """
    return Part(folder / name, read_json(folder / name / 'config.json'))


def read_unet_part(folder: Path) -> Part:
    """Read the UNet's configuration, from unet/ or, as DepthCrafter has it, from the top."""
    name = 'unet' if (folder / 'unet').is_dir() else '.'
    return read_part(folder, name)


def is_complete(folder: Path) -> bool:
    """Whether the folder holds more than a UNet."""
    return (folder / 'vae').is_dir()


def read_noise_range(folder: Path) -> NoiseRange:
    """
    Read the scheduler's noise range.

    :raises ModelError: scheduler_config.json is missing or gives no range.
    """
    path = folder / 'scheduler' / 'scheduler_config.json'
    config = read_json(path)
    low, high = config.get('sigma_min'), config.get('sigma_max')
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not low < high:
        raise ModelError(
            f'{path} says sigma_min = {low}, sigma_max = {high}: both must be numbers, the '
            'first the smaller (SVD: 0.002 and 700); correct the file'
        )
    return NoiseRange(float(low), float(high), float(config.get('rho', 7.0)))


def read_extras(folder: Path) -> Extras:
    """
    Read depthsync.json where the folder has one.

    :raises ModelError: it lacks a number.
    """
    path = folder / 'depthsync.json'
    if not path.exists():
        return Extras()
    stored = read_json(path)
    names = ('window_length', 'window_overlap', 'max_side', 'noise_augmentation')
    missing = [name for name in names if not isinstance(stored.get(name), int | float)]
    if missing:
        raise ModelError(f'{path} lacks the numbers {", ".join(missing)}; add them')
    length, overlap, side = (int(stored[name]) for name in names[:3])
    return Extras(Preferences(length, overlap, side), float(stored['noise_augmentation']))


def read_json(path: Path) -> dict[str, Any]:
    """
    Read an object from a JSON file.

    :raises ModelError: the file is missing or holds something else.
    """
    try:
        stored = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise ModelError(
            f'{path} is missing; the folder must be in diffusers layout (unet, vae, '
            'image_encoder, scheduler), or model.base must name one that completes it'
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f'{path} cannot be read as JSON ({error}); restore the file') from error
    if not isinstance(stored, dict):
        raise ModelError(f'{path} holds {type(stored).__name__}, an object is needed')
    return stored
