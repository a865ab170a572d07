"""Names for array shapes; free at run time, enforced in one CI run with beartype."""

# Only this file holds shape strings: flake8 cannot parse them (F722 is ignored here alone).
from typing import TypeAlias

from jaxtyping import Bool, Float, Float64, Int64, UInt8
import numpy as np
from torch import Tensor

Latents: TypeAlias = Float[Tensor, 'frames channels rows cols']
Tokens: TypeAlias = Float[Tensor, 'frames tokens width']
RgbTensor: TypeAlias = Float[Tensor, 'frames 3 height width']
DisparityTensor: TypeAlias = Float[Tensor, 'frames height width']

RgbImage: TypeAlias = UInt8[np.ndarray, 'height width 3']
Map: TypeAlias = Float[np.ndarray, 'height width']
Maps: TypeAlias = Float[np.ndarray, 'frames height width']
Mask: TypeAlias = Bool[np.ndarray, '...']
Ids: TypeAlias = Int64[np.ndarray, 'points']  # noqa: F821
Pixels: TypeAlias = Float[np.ndarray, '*batch 2']
Points: TypeAlias = Float[np.ndarray, '*batch 3']
Transform: TypeAlias = Float64[np.ndarray, '*batch 4 4']
Covariance: TypeAlias = Float64[np.ndarray, '*batch 6 6']
