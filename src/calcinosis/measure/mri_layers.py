"""What the network that outlines a mass on MRI sees of the block around a point."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE = 32  # voxels of a block along each side
LOCAL_VOXELS = 3.0  # width over which the second kind of layer is levelled
BRIGHT = 0.95  # quantile of what was imaged that becomes 1


def layers(t1: Float | None, t2: Float | None, imaged: Mask) -> Float:
    """Layers of a block [SIDE, SIDE, SIDE]: [6, SIDE, SIDE, SIDE].

    Of either weighting the square root of its signal against the brightest, and the signal against
    its surroundings, empty where there is none; what was imaged; the distance from the middle. None
    depends on the unit of a signal.
    """
    found = [part for signal in (t1, t2) for part in _of_signal(signal, imaged)]
    away = np.sqrt(((np.indices(imaged.shape) - (SIDE - 1) / 2) ** 2).sum(axis=0)) / (SIDE / 2)
    return np.stack([*found, imaged, away]).astype(np.float32)


def _of_signal(signal: Float | None, imaged: Mask) -> tuple[Float, Float]:
    if signal is None or not imaged.any():
        empty = np.zeros(imaged.shape, np.float32)
        return empty, empty
    bright = max(float(np.quantile(signal[imaged], BRIGHT)), 1e-6)
    root = np.sqrt(np.clip(signal / bright, 0, 2)) * imaged
    above = root - gaussian_filter(root, LOCAL_VOXELS)
    spread = np.sqrt(gaussian_filter(above**2, LOCAL_VOXELS)) + 0.03
    return root - np.float32(0.5), np.clip(above / spread, -4, 4)
