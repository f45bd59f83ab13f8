"""The square crop of a working clip: its choice, and landmarks in it."""

from __future__ import annotations

from torch import Tensor

from lit_reenact.core.schema import CropBox, Landmarks

MARGIN = 2.0
"""Default side of the crop in heights of the face (hairline to chin): it shows the hair, the neck and some shoulder."""

OVERHANG = 0.02
"""Share of the clip's side by which a face may leave the picture and still count as inside."""


def choose_crop(landmarks: Landmarks, width: int, height: int, margin: float) -> CropBox:
    """Choose the steady square that holds the face in every frame in which it was found.

    Its side is ``margin`` face heights, more if the face moves far, and at most what the frame allows.

    Args:
        landmarks: landmarks of T frames in pixels of the source; at least one frame shows a face.
        width: width of the source, pixels.
        height: height of the source, pixels.
        margin: side of the crop in heights of the face.
    """
    points = landmarks.points[landmarks.found][..., :2]  # (T', 478, 2)
    low, high = points.amin(1), points.amax(1)  # (T', 2)
    face_height = float((high - low)[:, 1].median())
    first, last = low.amin(0), high.amax(0)
    room = 0.5 * face_height  # half a face beyond the face on every side, wherever it moves
    side = max(margin * face_height, float((last - first).max()) + room)
    side_px = min(round(side), width, height)
    # The head reaches about as far above the hairline as the neck below the chin: the face's middle is the crop's.
    middle = (first + last) / 2
    x, y = (round(float(m) - side_px / 2) for m in middle)
    return CropBox(x=min(max(x, 0), width - side_px), y=min(max(y, 0), height - side_px), side=side_px)


def to_clip(landmarks: Landmarks, crop: CropBox, size: int) -> Landmarks:
    """Map landmarks from source pixels to pixels of a clip of side ``size`` that shows ``crop``; z is scaled alike."""
    corner = landmarks.points.new_tensor([crop.x, crop.y, 0.0])
    return Landmarks(points=(landmarks.points - corner) * (size / crop.side), found=landmarks.found)


def is_inside(landmarks: Landmarks, size: int) -> Tensor:
    """Tell for each frame whether the face lies inside a clip of side ``size``: bool (T,), False without landmarks."""
    points = landmarks.points[..., :2]
    return (points.amin((1, 2)) >= -OVERHANG * size) & (points.amax((1, 2)) <= (1 + OVERHANG) * size)
