"""Handles of the built-in model's expressions: the points that a full expression moves or holds.

Displacements are (outward, up, forward) in mm on the subject's right side; the rest of the skin follows smoothly
(``blendshapes``). Points are those of FaceMesh. Signed shapes that move both
sides to the subject's left give (left, up, forward).

The numbers are written by hand, in view of ICT-FaceKit's shapes (MIT licence: see ``generic_mean.csv``) and of real clips.
"""

from __future__ import annotations

from dataclasses import dataclass

from lit_reenact.core.facemesh import (
    CHIN,
    FOREHEAD_TOP,
    LOWER_LIP_EDGE,
    LOWER_LIP_RIM,
    RIGHT_BROW_BOTTOM,
    RIGHT_BROW_TOP,
    RIGHT_FOREHEAD_EDGE,
    RIGHT_JAW,
    RIGHT_LOWER_LID,
    RIGHT_UPPER_LID,
    UPPER_LIP_EDGE,
    UPPER_LIP_RIM,
)

Move = tuple[float, float, float]

STILL: Move = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Shape:
    """Table of a full expression.

    Attributes:
        name: ARKit's name; for a pair, without "Left" and "Right".
        kind: "pair": one shape for each side; "symmetric": both sides together; "sideways": both sides to the left, and by the
            opposite coefficient to the right.
        moves: displacement (mm) of each handle, by its FaceMesh number.
        reach: distance (mm) over which a displacement fades where no handle holds it.
    """

    name: str
    kind: str
    moves: dict[int, Move]
    reach: float = 20.0


def still(*points: int) -> dict[int, Move]:
    """Return handles that hold these points where they are."""
    return dict.fromkeys(points, STILL)


EYE_RIM = (*RIGHT_UPPER_LID, *RIGHT_LOWER_LID[-2:0:-1])
BROW = (*RIGHT_BROW_TOP, *RIGHT_BROW_BOTTOM)
FOREHEAD_EDGE = (FOREHEAD_TOP, *RIGHT_FOREHEAD_EDGE[:5])
JAW_EDGE = (CHIN, *RIGHT_JAW[:1:-1])
UPPER_LIP = (*UPPER_LIP_EDGE[5:0:-1], *UPPER_LIP_RIM[5:0:-1])
LOWER_LIP = (*LOWER_LIP_EDGE[5:0:-1], *LOWER_LIP_RIM[5:0:-1])
NOSE = (1, 4, 5, 195, 197, 6, 2)
FAR_MOUTH = (291, 267, 269, 312, 314, 405, 317, 273)
"""Points of the left half of the mouth, for shapes of the right half."""
