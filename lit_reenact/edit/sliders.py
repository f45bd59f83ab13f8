"""Table of all sliders: names, groups, units and ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lit_reenact.edit.proportions import FIELDS
from lit_reenact.face import FaceModel

GROUPS = ("head", "position", "expression", "eyes", "brows", "mouth", "face shape", "light")
"""Groups of sliders, in the order in which they are shown."""

IDENTITY = "identity_"
"""Prefix of a slider's name before the number of its identity component, counted from 1."""

IDENTITY_REACH = 3.0
"""Range of an identity component to either side, standard deviations."""


@dataclass(frozen=True)
class Slider:
    """Slider of an edit.

    Attributes:
        name: name in edit files and on the command line.
        label: name on the editor's page.
        group: one of ``GROUPS``.
        unit: "deg", "mm", "%", "sd" (standard deviations), "x" (a factor), or "" (a share, 1 for all of it).
        low: smallest value.
        high: largest value.
        default: value that changes nothing.
        help: one line of help.
    """

    name: str
    label: str
    group: str
    unit: str
    low: float
    high: float
    default: float
    help: str


_FIXED = (
    Slider("head_yaw", "turn", "head", "deg", -45, 45, 0, "turn the head to its left"),
    Slider("head_pitch", "nod", "head", "deg", -30, 30, 0, "turn the face up"),
    Slider("head_roll", "tilt", "head", "deg", -30, 30, 0, "tilt the head to its left shoulder"),
    Slider("position_x", "sideways", "position", "mm", -80, 80, 0, "move the head to the right of the picture, its own left"),
    Slider("position_y", "up", "position", "mm", -80, 80, 0, "move the head up"),
    Slider("position_nearer", "nearer", "position", "%", -30, 50, 0, "make the head larger, as if it came nearer"),
    Slider("expression_gain", "strength", "expression", "x", 0, 3, 1, "multiply all expressions but blinks; 0 is a neutral face"),
    Slider("gaze_yaw", "look sideways", "eyes", "deg", -30, 30, 0, "turn both eyes to the head's left"),
    Slider("gaze_pitch", "look up", "eyes", "deg", -20, 20, 0, "turn both eyes up"),
    Slider("close_left_eye", "close the left eye", "eyes", "", 0, 1, 0, "close the left eye; 1 is shut"),
    Slider("close_right_eye", "close the right eye", "eyes", "", 0, 1, 0, "close the right eye; 1 is shut"),
    Slider("brightness", "brightness", "light", "%", -80, 100, 0, "more or less light"),
    Slider("warmth", "warmth", "light", "%", -50, 50, 0, "more red and less blue light"),
    Slider("light_left", "light from the left", "light", "%", -100, 100, 0, "light from the head's left; below 0 from its right"),
    Slider("light_above", "light from above", "light", "%", -100, 100, 0, "light from above; below 0 from below"),
)

_PROPORTIONS = {
    "wider": "the whole face across",
    "longer": "the face from top to chin; the eyes stay in place",
    "nose": "the nose in all directions",
    "jaw": "the face across below the lips",
    "eye_size": "the opening of both eyes",
}

_SHAPE_GROUPS = {"eye": "eyes", "brow": "brows", "mouth": "mouth", "jaw": "mouth", "tongue": "mouth"}


def sliders_of(model: FaceModel) -> dict[str, Slider]:
    """Return all sliders of a face model, by name, in the order of ``GROUPS``."""
    shapes = [
        _shape_slider(name, largest)
        for name, (_, largest) in zip(model.expression_names, model.expression_bounds.tolist(), strict=True)
    ]
    sizes = [Slider(n, n.replace("_", " "), "face shape", "%", -20, 20, 0, f"larger: {_PROPORTIONS[n]}") for n in FIELDS]
    numbers = [_identity_slider(number) for number in range(1, len(model.identity_scale) + 1)]
    ordered = sorted((*_FIXED, *shapes, *sizes, *numbers), key=lambda slider: GROUPS.index(slider.group))
    return {slider.name: slider for slider in ordered}


def _shape_slider(name: str, largest: float) -> Slider:
    words = " / ".join(re.sub(r"(?=[A-Z])", " ", part).lower() for part in name.split("-"))
    group = _SHAPE_GROUPS.get(re.split(r"(?=[A-Z])", name)[0], "expression")
    largest = round(largest, 4)  # float32 cannot hold 1.2
    return Slider(name, words, group, "", -largest, largest, 0, "add to this shape, within its bounds; 1 is the full shape")


def _identity_slider(number: int) -> Slider:
    low, high = -IDENTITY_REACH, IDENTITY_REACH
    return Slider(
        f"{IDENTITY}{number}", f"component {number}", "face shape", "sd", low, high, 0, "add to this component of the identity"
    )
