"""Warnings about a video that was accepted, in sentences with figures."""

from __future__ import annotations

from torch import Tensor

from lit_reenact.core.schema import Landmarks
from lit_reenact.landmarks.measures import OTHER_PERSON, face_heights, head_angles, skull_difference
from lit_reenact.video import VideoInfo
from lit_reenact.video.cuts import shots

LOW_RATE = 20
"""Frame rate below which lips and lids move too far from frame to frame."""

SMALL_FACE = 100
"""Height of a face in pixels below which gaze and lips are guessed more than measured."""

FAR_TURN = 40
"""Degrees of yaw beyond which half of the face is hidden and FaceMesh guesses it."""

MIN_SHOT = 11
"""Minimum number of frames with a face in a shot that is compared with the others."""


def file_warnings(info: VideoInfo) -> list[str]:
    """Warn of an odd frame rate and of HDR colours."""
    warnings = []
    if info.variable_rate:
        warnings.append(f"the frame rate varies; the clip has a constant {float(info.fps):.4g} frames per second")
    if info.fps < LOW_RATE:
        warnings.append(f"{float(info.fps):.4g} frames per second are few: fast motion is lost between them; 25 are better")
    if info.hdr:
        warnings.append(f"its colours are HDR ({info.hdr}); the clip has those of an ordinary video, its highlights compressed")
    return warnings


def face_warnings(seen: Landmarks, valid: Tensor, most_faces: int, max_gap_seconds: float) -> list[str]:
    """Warn of several faces, frames without a face, a small face and a head turned far.

    Args:
        seen: landmarks in pixels of the source, not interpolated; at least one frame shows the face.
        valid: bool (T,), frames fit for training.
        most_faces: number of faces seen at once.
        max_gap_seconds: longest gap that is interpolated.
    """
    warnings = []
    points, count = seen.points[seen.found], len(valid)
    if most_faces > 1:
        warnings.append(f"{most_faces} faces were seen; the largest is followed")
    missing, invalid = count - int(seen.found.sum()), count - int(valid.sum())
    if missing:
        warnings.append(f"{missing} of {count} frames show no face; gaps of up to {max_gap_seconds} s are interpolated")
    if invalid:
        warnings.append(f"{invalid} of {count} frames are left out of training, because they show no whole face")
    height = float(face_heights(points).median())
    if height < SMALL_FACE:
        warnings.append(f"the face is {height:.0f} pixels high: gaze and lips are measured poorly below {SMALL_FACE}")
    turned = int((head_angles(points)[:, 0].abs() > FAR_TURN).sum())
    if turned:
        warnings.append(
            f"in {turned} of {count} frames the head is turned by more than {FAR_TURN}°, where half of the face is guessed"
        )
    return warnings


def mouth_warnings(covered: Tensor, fps: float) -> list[str]:
    """Warn of a covered mouth, by ``covered`` bool (T,)."""
    if not bool(covered.any()):
        return []
    first = int(covered.nonzero()[0]) / fps
    return [
        f"the mouth seems to be covered in {int(covered.sum())} of {len(covered)} frames, first at {first:.1f} s; "
        "what it does there is guessed"
    ]


def cut_warnings(seen: Landmarks, cuts: tuple[int, ...], fps: float) -> list[str]:
    """Warn of cuts, and of another person after one."""
    if not cuts:
        return []
    times = ", ".join(f"{cut / fps:.1f}" for cut in cuts[:5]) + (", ..." if len(cuts) > 5 else "")
    warnings = [
        f"{len(cuts)} cut{'s' * (len(cuts) > 1)} (at {times} s): nothing is smoothed across, and no training window crosses one"
    ]
    other = _other_person(seen, cuts)
    if other is not None:
        warnings.append(
            f"the shot from {other[0] / fps:.1f} s on seems to show another person (the skull differs by {other[1]:.1f} %, "
            f"{OTHER_PERSON} % is the limit): use a video that shows only one"
        )
    return warnings


def _other_person(seen: Landmarks, cuts: tuple[int, ...]) -> tuple[int, float] | None:
    """Find the first shot whose face differs from that of the longest shot; return its start and the difference in %."""
    faces = {start: seen.points[start:stop][seen.found[start:stop]] for start, stop in shots(cuts, len(seen))}
    faces = {start: points for start, points in faces.items() if len(points) >= MIN_SHOT}
    longest = max(faces.values(), key=len, default=None)
    for start, points in faces.items():
        if longest is not None and points is not longest:
            difference = skull_difference(longest, points)
            if difference > OTHER_PERSON:
                return start, difference
    return None
