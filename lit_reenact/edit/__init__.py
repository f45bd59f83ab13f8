"""Edits of a tracked video: sliders with keyframes, applied to ``FaceParameters`` and nothing else.

Example:
    >>> edit = Edit({"head_yaw": SliderTrack(((0.0, 0.0), (2.0, 10.0)))})
    >>> edited = apply_edit(edit, track.parameters, model, fps=Fraction(25))
"""

from __future__ import annotations

from lit_reenact.edit.apply import apply_edit, apply_sliders, neck_of
from lit_reenact.edit.file import parse_edit, read_edit, write_edit
from lit_reenact.edit.light import hold_light
from lit_reenact.edit.sliders import GROUPS, Slider, sliders_of
from lit_reenact.edit.tracks import Edit, SliderTrack

__all__ = [
    "GROUPS",
    "Edit",
    "Slider",
    "SliderTrack",
    "apply_edit",
    "apply_sliders",
    "hold_light",
    "neck_of",
    "parse_edit",
    "read_edit",
    "sliders_of",
    "write_edit",
]
