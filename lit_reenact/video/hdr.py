"""Conversion of HDR frames (PQ or HLG, as phones record them) to the colours of an ordinary video."""

from __future__ import annotations

from functools import cache

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorPrimaries, ColorTrc

TRANSFERS = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}
"""Names of the HDR transfer functions, by FFmpeg's numbers."""

WHITE = 203.0
"""Luminance of diffuse white in HDR, cd/m² (ITU-R BT.2408); it becomes the white of the ordinary video."""

KNEE = 0.7
"""Share of white above which highlights are compressed."""

_FROM_BT2020 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32)
"""Linear BT.2020 to BT.709 primaries (ITU-R BT.2087)."""


def transfer_of(frame: av.VideoFrame) -> str | None:
    """Return the transfer function of an HDR frame, "PQ" or "HLG"; None for an ordinary frame."""
    return TRANSFERS.get(int(frame.color_trc))


def to_sdr(frame: av.VideoFrame, transfer: str) -> npt.NDArray[np.uint8]:
    """Convert an HDR frame to uint8 (H, W, 3) RGB with BT.709 colours.

    Diffuse white becomes white. Pixels whose largest channel exceeds ``KNEE`` of it are darkened, and keep their hue.

    Args:
        frame: the decoded frame.
        transfer: "PQ" or "HLG", as ``transfer_of`` gives it.
    """
    light = linear_light(transfer)[frame.to_ndarray(format="rgb48le")]  # (H, W, 3), diffuse white is 1
    if int(frame.color_primaries) in (int(ColorPrimaries.BT2020), int(ColorPrimaries.UNSPECIFIED)):
        light = np.maximum(cv2.transform(light, _FROM_BT2020), 0)
    peak = light.max(-1, keepdims=True)
    over = np.maximum(peak - KNEE, 0)
    light *= np.where(over > 0, (KNEE + (1 - KNEE) * over / (over + 1 - KNEE)) / np.maximum(peak, KNEE), 1)
    return np.asarray(_display_codes()[(light * 4095 + 0.5).astype(np.uint16)], dtype=np.uint8)


@cache
def linear_light(transfer: str) -> npt.NDArray[np.float32]:
    """Return the displayed light of each 16-bit code over that of diffuse white: float32 (65536,)."""
    code = np.arange(65536) / 65535
    if transfer == "PQ":  # SMPTE ST 2084
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        root = code ** (1 / m2)
        light = 10000 / WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    else:  # ITU-R BT.2100 HLG, its system gamma of 1.2 for a display of 1000 cd/m² applied to each channel
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        light = 1000 / WHITE * scene**1.2
    return np.asarray(light, dtype=np.float32)


@cache
def _display_codes() -> npt.NDArray[np.uint8]:
    """Return the 8-bit codes of linear light from 0 to 1 on a display of gamma 2.4 (ITU-R BT.1886): uint8 (4096,)."""
    return np.asarray(np.round(255 * (np.arange(4096) / 4095) ** (1 / 2.4)), dtype=np.uint8)
