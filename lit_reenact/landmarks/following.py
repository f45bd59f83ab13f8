"""One person followed through the faces that were detected in a video's frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from lit_reenact.core.schema import LANDMARK_COUNT, Landmarks

Points = npt.NDArray[np.float32]
"""FaceMesh points of one face, float32 (478, 3), or of several, (faces, 478, 3), in pixels of their frame."""


@dataclass
class _Trail:
    """One face from frame to frame, as long as it stays near the place where it was last seen.

    Attributes:
        frames: numbers of the frames that show it, ascending.
        faces: points (478, 3) of the face in each of these frames.
        area: sum of the areas of its bounding boxes, square pixels.
    """

    frames: list[int] = field(default_factory=list)
    faces: list[Points] = field(default_factory=list)
    area: float = 0.0

    def distance(self, face: Points) -> float:
        """Return the distance from the last face's centre to that of ``face``, in units of the last one's size."""
        last = self.faces[-1]
        return float(np.linalg.norm((face - last).mean(0)[:2]) / max(np.ptp(last[:, :2], axis=0).max(), 1e-6))

    def append(self, frame: int, face: Points) -> None:
        """Add the face of a later frame."""
        self.frames.append(frame)
        self.faces.append(face)
        self.area += float(np.prod(np.ptp(face[:, :2], axis=0)))


def follow(faces: list[Points]) -> Landmarks:
    """Follow one person through the faces of every frame: the one who covers the largest area over the whole video.

    Args:
        faces: for each of the T frames float32 (faces, 478, 3) in its pixels, faces = 0 where there is none.

    Returns:
        Landmarks of the T frames, with ``found`` False where that person is not seen.
    """
    trails: list[_Trail] = []
    for number, seen in enumerate(faces):
        for face in seen:
            near = [t for t in trails if t.frames[-1] < number and t.distance(face) < 1]
            trail = min(near, key=lambda t: t.distance(face), default=None)
            if trail is None:
                trails.append(trail := _Trail())
            trail.append(number, face)
    points = np.full((len(faces), LANDMARK_COUNT, 3), np.nan, dtype=np.float32)
    # A person who is lost and found again elsewhere leaves several trails; trails at the same time belong to different people.
    for trail in sorted(trails, key=lambda t: -t.area):
        if np.isnan(points[trail.frames[0] : trail.frames[-1] + 1]).all():
            points[trail.frames] = trail.faces
    found = torch.from_numpy(np.isfinite(points[:, 0, 0]))
    return Landmarks(points=torch.from_numpy(points), found=found)
