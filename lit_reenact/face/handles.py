"""What an expression of the built-in model is made of: which points move where when it is full.

Displacements are (outward, up, forward) in mm on the subject's right side, at a few points that the expression moves or
holds; the rest of the skin follows smoothly (``blendshapes``). Points are those of FaceMesh. Signed shapes that move both
sides to the subject's left give (left, up, forward).

The numbers are written by hand, in view of ICT-FaceKit's shapes (MIT licence: see ``generic_mean.csv``) and of real clips.
"""

from __future__ import annotations

from dataclasses import dataclass

Move = tuple[float, float, float]

STILL: Move = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Shape:
    """A full expression.

    Attributes:
        name: ARKit's name; of a pair, without Left and Right.
        kind: "pair": one shape a side; "symmetric": both sides together; "sideways": both sides to the left, and by the
            opposite coefficient to the right.
        moves: displacement of each handle.
        reach: mm over which a displacement fades where no handle holds it.
    """

    name: str
    kind: str
    moves: dict[int, Move]
    reach: float = 20.0


def still(*points: int) -> dict[int, Move]:
    """Handles that hold these points where they are."""
    return dict.fromkeys(points, STILL)


EYE_RIM = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
FOREHEAD_EDGE = (10, 109, 67, 103, 54, 21)
JAW_EDGE = (152, 148, 176, 149, 150, 136, 172, 58, 132)
UPPER_LIP = (0, 37, 39, 40, 185, 13, 82, 81, 80, 191)
LOWER_LIP = (17, 84, 181, 91, 146, 14, 87, 178, 88, 95)
NOSE = (1, 4, 5, 195, 197, 6, 2)
FAR_MOUTH = (291, 267, 269, 312, 314, 405, 317, 273)
"""The left half of the mouth, for shapes of the right half."""
