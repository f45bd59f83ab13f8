"""Tracks and a generator to finished videos.

Whatever makes a video, a transfer, an edit or a test, ends in ``write_video`` or in frames of ``synthesise``.
"""

from __future__ import annotations

from lit_reenact.reenactment.clips import TrackedClip
from lit_reenact.reenactment.driven import Settings, Written, write_reenactment
from lit_reenact.reenactment.label import labelled
from lit_reenact.reenactment.original import FullFrame
from lit_reenact.reenactment.pictures import conditioning_picture, error_picture
from lit_reenact.reenactment.self_driven import write_self_reenactment
from lit_reenact.reenactment.writing import OUTPUT_CRF, beside, synthesise, target_renderer, write_video

__all__ = [
    "OUTPUT_CRF",
    "FullFrame",
    "Settings",
    "TrackedClip",
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
