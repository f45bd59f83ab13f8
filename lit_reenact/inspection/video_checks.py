"""Checks whether a video is fit for training: in seconds, each with a figure and advice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.schema import LANDMARK_COUNT, Landmarks
from lit_reenact.inspection.background import moving_background
from lit_reenact.inspection.video_scan import VideoScan, scan_video
from lit_reenact.landmarks.measures import face_heights, head_angles, mouth_shape
from lit_reenact.landmarks.occlusion import find_covered_mouths
from lit_reenact.tracking.clip_warnings import cut_warnings
from lit_reenact.video.cuts import find_cuts

MINIMUM_SECONDS = 60
MINIMUM_RATE = 24
"""Smallest frame rate that is not worth a hint, frames per second."""

MINIMUM_FACE = 150
"""Smallest height of the face that is not worth a hint, pixels."""

MINIMUM_TURN = 5.0
"""Smallest range of yaw or pitch, from the 5th to the 95th percentile, degrees."""

MINIMUM_MOUTH = 0.08
"""Smallest range of the mouth's opening and width together, in distances of the outer eye corners."""

REPEAT = 0.25
"""Mean difference of two frames, in grey levels of 255, below which the second repeats the first."""

MOST_REPEATS = 0.1
"""Share of repeated frames up to which a video gets no hint."""

MOST_BLURRED = 0.1
"""Share of blurred frames up to which a video gets no hint."""

BLURRED = 0.5
"""Share of the sharpness of a video's sharpest frames below which a frame is blurred."""

SOFT = 0.03
"""Sharpness below which even a video's sharpest frames show no eyelashes."""

MOST_SHIFTED = 0.2
"""Share of frames with a shifted background up to which a video gets no hint."""

MOST_COVERED = 0.1
"""Share of frames with a covered mouth up to which a video gets no hint."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        level: "ok", "hint" (works, could be better) or "problem" (does not work).
        text: the finding and, unless the level is "ok", advice.
    """

    level: str
    text: str


def examine_video(path: Path, progress: bool = True) -> list[Finding]:
    """Check a video; the first finding describes it.

    Args:
        path: the video.
        progress: True to show a progress bar.

    Raises:
        ReenactError: the file is no video that can be read.
    """
    scan = scan_video(path, progress)
    info = scan.info
    text = f"{info.frame_count} frames, {info.width}x{info.height}, {float(info.fps):.2f} frames/s, {info.duration:.1f} s"
    return [Finding("ok", text + (", with audio" if info.has_audio else ", no audio")), *check_scan(scan)]


def check_scan(scan: VideoScan) -> list[Finding]:
    """Return the findings of all checks."""
    checks = FACE_CHECKS if len(scan.faces) else (_no_face,)
    return [finding for check in (*FILE_CHECKS, *checks) for finding in check(scan)]


def _duration(scan: VideoScan) -> Iterator[Finding]:
    if scan.info.duration < MINIMUM_SECONDS:
        yield Finding("hint", f"as a target it is short: {MINIMUM_SECONDS} s or more show more of the person's range")


def _rate(scan: VideoScan) -> Iterator[Finding]:
    fps = float(scan.info.fps)
    if fps < MINIMUM_RATE:
        yield Finding("hint", f"{fps:.4g} frames per second are few: lips and lids jump from frame to frame; record 25 or more")
    if scan.info.variable_rate:
        yield Finding(
            "hint", f"the frame rate varies, so that frames are repeated or left out at {fps:.4g}: record at a fixed rate"
        )


def _colours(scan: VideoScan) -> Iterator[Finding]:
    if scan.info.hdr:
        yield Finding("hint", f"HDR colours ({scan.info.hdr}, {scan.bits} bits) are converted, which is slow: record without HDR")
    elif scan.bits > 8:
        yield Finding("hint", f"{scan.bits} bits a colour become 8: nothing to do, unless skies and walls show bands")


def _cuts(scan: VideoScan) -> Iterator[Finding]:
    cuts = find_cuts(scan.thumbnails)
    for warning in cut_warnings(_sampled_landmarks(scan), cuts, len(scan.thumbnails) / scan.info.duration):
        yield Finding("hint", f"{warning}; a video without cuts trains best")


def _repeats(scan: VideoScan) -> Iterator[Finding]:
    share = float((scan.steps < REPEAT).mean()) if len(scan.steps) else 0.0
    if share > MOST_REPEATS:
        yield Finding(
            "hint", f"{100 * share:.0f} % of the frames repeat the one before: use the original file, recorded at a fixed rate"
        )


def _camera(scan: VideoScan) -> Iterator[Finding]:
    scale = scan.backgrounds.shape[2] / scan.info.width
    share = moving_background(scan.backgrounds, scan.landmarks.points[..., :2] * scale)
    if share is not None and share > MOST_SHIFTED:
        yield Finding(
            "hint",
            f"the background shifts in {100 * share:.0f} % of the frames examined: put the camera on a stand, or stabilise",
        )


def _no_face(scan: VideoScan) -> Iterator[Finding]:
    yield Finding("problem", f"no face was found in the {len(scan.landmarks)} frames examined: it cannot be tracked")


def _presence(scan: VideoScan) -> Iterator[Finding]:
    share = float(scan.landmarks.found.float().mean())
    height = float(face_heights(scan.faces).median())
    text = f"a face in {100 * share:.0f} % of {len(scan.landmarks)} frames examined, {height:.0f} pixels high"
    yield Finding("ok", text) if share == 1 else Finding("hint", f"{text}: cut out the parts without a visible face")
    if scan.most_faces > 1:
        yield Finding("hint", f"{scan.most_faces} faces were seen: the largest would be tracked; crop the others out")
    if height < MINIMUM_FACE:
        yield Finding("hint", f"the face is small: {MINIMUM_FACE} pixels or more keep gaze and lips readable; film from nearer")


def _motion(scan: VideoScan) -> Iterator[Finding]:
    turn, nod, _ = _range(head_angles(scan.faces))
    if max(turn, nod) < MINIMUM_TURN:
        yield Finding(
            "hint",
            f"the head turns by {turn:.0f}° and nods by {nod:.0f}°: move it more, because poses never seen are rendered badly",
        )
    mouth = sum(_range(mouth_shape(scan.faces)))
    if mouth < MINIMUM_MOUTH:
        yield Finding("hint", f"the mouth changes by {100 * mouth:.0f} % of the eyes' distance: a target should talk and smile")


def _blur(scan: VideoScan) -> Iterator[Finding]:
    sharpness = scan.sharpness[scan.sharpness.isfinite()]
    best = float(sharpness.quantile(0.9))
    share = float((sharpness < BLURRED * best).float().mean())
    if best < SOFT:
        yield Finding(
            "hint", f"the face is soft throughout (detail {best:.3f}, {SOFT} is little): focus on it, and compress less"
        )
    elif share > MOST_BLURRED:
        yield Finding(
            "hint", f"the face is blurred in {100 * share:.0f} % of the frames examined: use more light and a shorter exposure"
        )


def _occlusion(scan: VideoScan) -> Iterator[Finding]:
    share = float(find_covered_mouths(scan.lips, shortest=1).float().mean())
    if share > MOST_COVERED:
        yield Finding("hint", f"the mouth seems covered in {100 * share:.0f} % of the frames examined: keep hands and cups away")


FILE_CHECKS: tuple[Callable[[VideoScan], Iterator[Finding]], ...] = (_duration, _rate, _colours, _cuts, _repeats, _camera)
FACE_CHECKS: tuple[Callable[[VideoScan], Iterator[Finding]], ...] = (_presence, _motion, _blur, _occlusion)


def _range(values: Tensor) -> list[float]:
    """Return the range from the 5th to the 95th percentile of each column of (N, C)."""
    return (values.quantile(0.95, dim=0) - values.quantile(0.05, dim=0)).tolist()


def _sampled_landmarks(scan: VideoScan) -> Landmarks:
    """Return landmarks of all T frames, NaN in the frames that were not examined."""
    points = torch.full((len(scan.thumbnails), LANDMARK_COUNT, 3), torch.nan)
    points[scan.numbers] = scan.landmarks.points
    found = torch.zeros(len(points), dtype=torch.bool)
    found[scan.numbers] = scan.landmarks.found
    return Landmarks(points, found)
