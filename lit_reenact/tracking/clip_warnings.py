"""What a user should know of a video that was accepted, in sentences with figures."""

from __future__ import annotations

from torch import Tensor

from lit_reenact.core.schema import Landmarks
from lit_reenact.landmarks.measures import OTHER_PERSON, face_heights, head_angles, skull_difference
from lit_reenact.video import VideoInfo
from lit_reenact.video.cuts import shots

LOW_RATE = 20
"""Frames per second below which lips and lids move too far from frame to frame."""

SMALL_FACE = 100
"""Height of a face in pixels below which gaze and lips are guessed more than seen."""

FAR_TURN = 40
"""Degrees of yaw beyond which half of the face is hidden and FaceMesh guesses it."""

LEAST_SHOT = 11
"""Frames with a face that a shot must have to be compared with the others."""


def notes_on_file(info: VideoInfo) -> list[str]:
    """Frame rate and colours."""
    notes = []
    if info.variable_rate:
        notes.append(f"the frame rate varies; the clip has a constant {float(info.fps):.4g} frames per second")
    if info.fps < LOW_RATE:
        notes.append(f"{float(info.fps):.4g} frames per second are few: fast motion is lost between them; 25 or more are better")
    if info.hdr:
        notes.append(f"its colours are HDR ({info.hdr}); the clip has those of an ordinary video, its highlights compressed")
    return notes


def notes_on_faces(seen: Landmarks, valid: Tensor, most_faces: int, max_gap_seconds: float) -> list[str]:
    """How many faces, in how many frames, how large and how far turned.

    Args:
        seen: in pixels of the source, not interpolated; at least one frame shows the face.
        valid: bool (T,), frames fit for training.
        most_faces: seen at once.
        max_gap_seconds: length of the gaps that are interpolated.
    """
    notes = []
    points, count = seen.points[seen.found], len(valid)
    if most_faces > 1:
        notes.append(f"{most_faces} faces were seen; the largest is followed")
    missing, invalid = count - int(seen.found.sum()), count - int(valid.sum())
    if missing:
        notes.append(f"{missing} of {count} frames show no face; gaps of up to {max_gap_seconds} s are interpolated")
    if invalid:
        notes.append(f"{invalid} of {count} frames are left out of training, for they show no whole face")
    height = float(face_heights(points).median())
    if height < SMALL_FACE:
        notes.append(f"the face is {height:.0f} pixels high: gaze and lips are told poorly below {SMALL_FACE}")
    turned = int((head_angles(points)[:, 0].abs() > FAR_TURN).sum())
    if turned:
        notes.append(
            f"in {turned} of {count} frames the head is turned by more than {FAR_TURN}°, where half of the face is guessed"
        )
    return notes


def notes_on_mouth(covered: Tensor, fps: float) -> list[str]:
    """Something over the mouth in frames bool (T,)."""
    if not bool(covered.any()):
        return []
    first = int(covered.nonzero()[0]) / fps
    return [
        f"the mouth seems to be covered in {int(covered.sum())} of {len(covered)} frames, first at {first:.1f} s; "
        "what it does there is guessed"
    ]


def notes_on_cuts(seen: Landmarks, cuts: tuple[int, ...], fps: float) -> list[str]:
    """Where the cuts are, and whether another person is seen after one."""
    if not cuts:
        return []
    times = ", ".join(f"{cut / fps:.1f}" for cut in cuts[:5]) + (", ..." if len(cuts) > 5 else "")
    notes = [
        f"{len(cuts)} cut{'s' * (len(cuts) > 1)} (at {times} s): nothing is smoothed across, no window of training crosses one"
    ]
    other = _other_person(seen, cuts)
    if other is not None:
        notes.append(
            f"the shot from {other[0] / fps:.1f} s on seems to show another person (the skull differs by {other[1]:.1f} %, "
            f"{OTHER_PERSON} % is the limit): use a video that shows only one"
        )
    return notes


def _other_person(seen: Landmarks, cuts: tuple[int, ...]) -> tuple[int, float] | None:
    """Start of the first shot whose face differs from that of the longest, and by how much in %."""
    faces = {start: seen.points[start:stop][seen.found[start:stop]] for start, stop in shots(cuts, len(seen))}
    faces = {start: points for start, points in faces.items() if len(points) >= LEAST_SHOT}
    longest = max(faces.values(), key=len, default=None)
    for start, points in faces.items():
        if longest is not None and points is not longest:
            difference = skull_difference(longest, points)
            if difference > OTHER_PERSON:
                return start, difference
    return None
