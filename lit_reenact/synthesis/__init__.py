"""Tracks and a generator to finished videos.

``synthesise`` generates the frames of face parameters; ``write_video`` makes them a finished, signed video. A transfer
(``write_reenactment``), an edit (``edited_video.write_edited``) and the editor's page all end there.
"""

from __future__ import annotations

from lit_reenact.synthesis.driven_video import ReenactmentFiles, ReenactmentSettings, write_reenactment
from lit_reenact.synthesis.full_frames import FullFrames
from lit_reenact.synthesis.generated_frames import synthesise, target_references, target_renderer
from lit_reenact.synthesis.label import add_label
from lit_reenact.synthesis.pictures import conditioning_picture, error_picture
from lit_reenact.synthesis.self_reenactment import write_self_reenactment
from lit_reenact.synthesis.video_plan import VideoPlan, side_by_side_path
from lit_reenact.synthesis.writing import OUTPUT_CRF, write_video

__all__ = [
    "OUTPUT_CRF",
    "FullFrames",
    "ReenactmentFiles",
    "ReenactmentSettings",
    "VideoPlan",
    "add_label",
    "conditioning_picture",
    "error_picture",
    "side_by_side_path",
    "synthesise",
    "target_references",
    "target_renderer",
    "write_reenactment",
    "write_self_reenactment",
    "write_video",
]
