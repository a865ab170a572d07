"""
Models that take one image at a time, through their own libraries and the user's own weights.

transformers' depth-estimation pipeline: Depth Anything V2 and others of its kind give disparity up
to a scale and shift; the checkpoints called Metric give metres. diffusers' Marigold pipelines
give depth up to a scale and shift.
Source: https://huggingface.co/docs/transformers/tasks/monocular_depth_estimation,
https://huggingface.co/docs/diffusers/using-diffusers/marigold_usage
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from depthsync_ros.core.errors import ModelError
from depthsync_ros.core.settings import Value
from depthsync_ros.core.shapes import Map, RgbImage
from depthsync_ros.datasets.sequence import Video
from depthsync_ros.evaluation.meter import Meter
from depthsync_ros.evaluation.methods import Prediction

METRIC = ('zoedepth', 'depth_pro')  # types of model that give metres by design
MARIGOLD_STEPS = 4  # what the model card recommends for its v1-1


@dataclass(frozen=True, eq=False)
class PerFrame:
    """A function from an image to values of a kind, applied to every frame by itself."""

    name: str
    kind: str
    model: str
    seed: int
    infer: Callable[[RgbImage, int], Map]

    def facts(self) -> Mapping[str, Value]:
        """Say which weights ran."""
        return {'model': self.model, 'kind': self.kind, 'seed': self.seed}

    def predict(
        self, video: Video, lengths: Sequence[int], step: Callable[[], None]
    ) -> Iterator[tuple[int, Prediction]]:
        """Give the prediction for each length, shortest first."""
        meter = Meter()
        values: list[Map] = []
        for index in range(max(lengths)):
            rgb = video.read(index).frame.rgb
            with meter:
                values.append(self.infer(rgb, index))
            step()
            if index + 1 in lengths:
                peak_mb = meter.branch().peak_mb(sum(value.nbytes for value in values))
                yield (
                    index + 1,
                    Prediction(
                        np.stack(values),
                        self.kind,
                        [None] * len(values),
                        seconds=meter.seconds,
                        cpu_seconds=meter.cpu_seconds,
                        peak_mb=peak_mb,
                    ),
                )
                meter.go_on()


def load_transformers(where: str, seed: int) -> PerFrame:
    """
    Load a depth-estimation model by transformers: a local folder, or a hub id that is cached.

    :raises ModelError: transformers or the weights are missing.
    """
    try:
        from PIL import Image  # noqa: PLC0415
        from transformers import pipeline  # noqa: PLC0415  optional
    except ImportError as error:
        raise ModelError(
            'depth-estimation models need: pip install transformers pillow'
        ) from error
    estimate = _loaded(lambda: pipeline('depth-estimation', model=where), where)
    config = estimate.model.config
    metric = (
        config.model_type in METRIC or getattr(config, 'depth_estimation_type', '') == 'metric'
    )

    def infer(rgb: RgbImage, _: int) -> Map:
        predicted = estimate(Image.fromarray(rgb))['predicted_depth']
        return predicted.squeeze().float().cpu().numpy()

    return PerFrame(_name(where), 'metric' if metric else 'disparity', where, seed, infer)


def load_marigold(where: str, seed: int) -> PerFrame:
    """
    Load a Marigold depth pipeline by diffusers: a local folder, or a hub id that is cached.

    :raises ModelError: diffusers or the weights are missing.
    """
    try:
        from diffusers import MarigoldDepthPipeline  # noqa: PLC0415  optional
        from PIL import Image  # noqa: PLC0415
        import torch  # noqa: PLC0415
    except ImportError as error:
        raise ModelError('Marigold needs: pip install diffusers torch pillow') from error
    marigold = _loaded(
        lambda: MarigoldDepthPipeline.from_pretrained(where, local_files_only=True), where
    )
    marigold.set_progress_bar_config(disable=True)
    steps = marigold.default_denoising_steps or MARIGOLD_STEPS

    def infer(rgb: RgbImage, index: int) -> Map:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + index)
        predicted = marigold(
            Image.fromarray(rgb),
            num_inference_steps=steps,
            output_type='np',
            generator=generator,
        )
        return np.asarray(predicted.prediction, np.float32).squeeze()

    return PerFrame(_name(where), 'depth', where, seed, infer)


def _loaded(load: Callable[[], Any], where: str) -> Any:
    try:
        return load()
    except (OSError, ValueError) as error:
        raise ModelError(
            f'{where} is no local model folder, nor a model in the hub cache of this machine; '
            f'download it first ({str(error).splitlines()[0]})'
        ) from None


def _name(where: str) -> str:
    return Path(where).name
