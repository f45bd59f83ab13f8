"""Tracks and a generator to finished videos.

Whatever makes a video, a transfer, an edit or a test, ends in ``write_video`` or in frames of ``synthesise``.
"""

from __future__ import annotations

from lit_reenact.synthesis.driven_video import Settings, Written, write_reenactment
from lit_reenact.synthesis.full_frame import FullFrame
from lit_reenact.synthesis.label import labelled
from lit_reenact.synthesis.pictures import conditioning_picture, error_picture
from lit_reenact.synthesis.self_reenactment import write_self_reenactment
from lit_reenact.synthesis.writing import OUTPUT_CRF, beside, synthesise, target_renderer, write_video

__all__ = [
    "OUTPUT_CRF",
    "FullFrame",
    "Settings",
    "Written",
    "beside",
    "conditioning_picture",
    "error_picture",
    "labelled",
    "synthesise",
    "target_renderer",
    "write_reenactment",
    "write_self_reenactment",
    "write_video",
]
