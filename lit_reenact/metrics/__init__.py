"""How far a generated clip is from the real one, and how well its motion follows the motion that drove it.

A metric compares; it neither tracks nor reads files. One value a frame, so that whoever takes means knows how sure they are.
"""

from __future__ import annotations

from lit_reenact.metrics.frames import psnr, ssim
from lit_reenact.metrics.motion import mouth_opening, pearson_r, slope
from lit_reenact.metrics.regions import FaceL1

__all__ = ["FaceL1", "mouth_opening", "pearson_r", "psnr", "slope", "ssim"]
