"""Is a video fit for training? What harms it, found in seconds, each with a figure and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.schema import LANDMARK_COUNT, Landmarks
from lit_reenact.inspection.video_scan import Glance, glance, moving_background
from lit_reenact.landmarks.measures import face_heights, head_angles, mouth_shape
from lit_reenact.landmarks.occlusion import find_covered_mouths
from lit_reenact.tracking.clip_warnings import notes_on_cuts
from lit_reenact.video.cuts import find_cuts

MINIMUM_SECONDS = 60
MINIMUM_RATE = 24
MINIMUM_FACE = 150
MINIMUM_TURN = 5.0
"""Degrees: least range (from the 5th to the 95th percentile) of yaw or pitch."""

MINIMUM_MOUTH = 0.08
"""Least range of the mouth's opening and width together, in distances of the outer eye corners."""

REPEAT = 0.25
"""Mean difference of two pictures, in grey levels of 255, below which the second repeats the first."""

MOST_REPEATS = 0.1
MOST_BLURRED = 0.1
BLURRED = 0.5
"""Share of the sharpness of a video's sharpest frames below which a frame is blurred."""

SOFT = 0.03
"""Sharpness below which even a video's sharpest frames show no eyelashes."""

MOST_SHIFTED = 0.2
MOST_COVERED = 0.1


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        level: "ok", "hint" (works, could be better) or "problem" (does not work).
        text: what was found and, unless it is ok, what to do.
    """

    level: str
    text: str


def examine_video(path: Path, progress: bool = True) -> list[Finding]:
    """All findings on a video, what it is first.

    Raises:
        ReenactError: the file is no video that can be read.
    """
    seen = glance(path, progress)
    info = seen.info
    text = f"{info.frame_count} frames, {info.width}x{info.height}, {float(info.fps):.2f} frames/s, {info.duration:.1f} s"
    return [Finding("ok", text + (", with audio" if info.has_audio else ", no audio")), *findings(seen)]


def findings(seen: Glance) -> list[Finding]:
    """What every check says."""
    checks = FACE_CHECKS if len(seen.faces) else (_no_face,)
    return [finding for check in (*FILE_CHECKS, *checks) for finding in check(seen)]


def _duration(seen: Glance) -> Iterator[Finding]:
    if seen.info.duration < MINIMUM_SECONDS:
        yield Finding("hint", f"as a target it is short: {MINIMUM_SECONDS} s or more show more of the person's range")


def _rate(seen: Glance) -> Iterator[Finding]:
    fps = float(seen.info.fps)
    if fps < MINIMUM_RATE:
        yield Finding("hint", f"{fps:.4g} frames per second are few: lips and lids jump from frame to frame; record 25 or more")
    if seen.info.variable_rate:
        yield Finding(
            "hint", f"the frame rate varies, so that frames are repeated or left out at {fps:.4g}: record at a fixed rate"
        )


def _colours(seen: Glance) -> Iterator[Finding]:
    if seen.info.hdr:
        yield Finding("hint", f"HDR colours ({seen.info.hdr}, {seen.bits} bits) are converted, slowly: record without HDR")
    elif seen.bits > 8:
        yield Finding("hint", f"{seen.bits} bits a colour become 8: nothing to do, unless skies and walls show bands")


def _cuts(seen: Glance) -> Iterator[Finding]:
    cuts = find_cuts(seen.thumbnails)
    for note in notes_on_cuts(_sampled_landmarks(seen), cuts, len(seen.thumbnails) / seen.info.duration):
        yield Finding("hint", f"{note}; a video without cuts trains best")


def _repeats(seen: Glance) -> Iterator[Finding]:
    share = float((seen.steps < REPEAT).mean()) if len(seen.steps) else 0.0
    if share > MOST_REPEATS:
        yield Finding(
            "hint", f"{100 * share:.0f} % of the frames repeat the one before: use the original file, recorded at a fixed rate"
        )


def _camera(seen: Glance) -> Iterator[Finding]:
    scale = seen.backgrounds.shape[2] / seen.info.width
    share = moving_background(seen.backgrounds, seen.landmarks.points[..., :2] * scale)
    if share is not None and share > MOST_SHIFTED:
        yield Finding(
            "hint",
            f"the background shifts in {100 * share:.0f} % of the frames looked at: put the camera on a stand, or stabilise",
        )


def _no_face(seen: Glance) -> Iterator[Finding]:
    yield Finding("problem", f"no face was found in the {len(seen.landmarks)} frames looked at: it cannot be tracked")


def _presence(seen: Glance) -> Iterator[Finding]:
    share = float(seen.landmarks.found.float().mean())
    height = float(face_heights(seen.faces).median())
    text = f"a face in {100 * share:.0f} % of {len(seen.landmarks)} frames looked at, {height:.0f} pixels high"
    yield Finding("ok", text) if share == 1 else Finding("hint", f"{text}: cut away what shows none, or hides it")
    if seen.most_faces > 1:
        yield Finding("hint", f"{seen.most_faces} faces were seen: the largest would be followed; crop the others away")
    if height < MINIMUM_FACE:
        yield Finding("hint", f"the face is small: {MINIMUM_FACE} pixels or more keep gaze and lips readable; film from nearer")


def _motion(seen: Glance) -> Iterator[Finding]:
    turn, nod, _ = _range(head_angles(seen.faces))
    if max(turn, nod) < MINIMUM_TURN:
        yield Finding(
            "hint", f"the head turns by {turn:.0f}° and nods by {nod:.0f}°: move it more, poses never seen come out badly"
        )
    mouth = sum(_range(mouth_shape(seen.faces)))
    if mouth < MINIMUM_MOUTH:
        yield Finding("hint", f"the mouth changes by {100 * mouth:.0f} % of the eyes' distance: a target should talk and smile")


def _blur(seen: Glance) -> Iterator[Finding]:
    sharpness = seen.sharpness[seen.sharpness.isfinite()]
    best = float(sharpness.quantile(0.9))
    share = float((sharpness < BLURRED * best).float().mean())
    if best < SOFT:
        yield Finding("hint", f"the face is soft throughout (detail {best:.3f}, {SOFT} is little): focus on it, compress less")
    elif share > MOST_BLURRED:
        yield Finding(
            "hint", f"the face is blurred in {100 * share:.0f} % of the frames looked at: more light, a shorter exposure"
        )


def _occlusion(seen: Glance) -> Iterator[Finding]:
    share = float(find_covered_mouths(seen.lips, shortest=1).float().mean())
    if share > MOST_COVERED:
        yield Finding("hint", f"the mouth seems covered in {100 * share:.0f} % of the frames looked at: keep hands and cups away")


FILE_CHECKS: tuple[Callable[[Glance], Iterator[Finding]], ...] = (_duration, _rate, _colours, _cuts, _repeats, _camera)
FACE_CHECKS: tuple[Callable[[Glance], Iterator[Finding]], ...] = (_presence, _motion, _blur, _occlusion)


def _range(values: Tensor) -> list[float]:
    """From the 5th to the 95th percentile of each column of (N, C)."""
    return (values.quantile(0.95, dim=0) - values.quantile(0.05, dim=0)).tolist()


def _sampled_landmarks(seen: Glance) -> Landmarks:
    """Landmarks of all T frames, of which only those looked at are there."""
    points = torch.full((len(seen.thumbnails), LANDMARK_COUNT, 3), torch.nan)
    points[seen.numbers] = seen.landmarks.points
    found = torch.zeros(len(points), dtype=torch.bool)
    found[seen.numbers] = seen.landmarks.found
    return Landmarks(points, found)
