"""Motion curves: the output video is tracked again from its pixels alone and compared with the driving track.

Neither the conditioning nor the transfer nor the network enters here: only what a landmark detector sees in the pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import (
    LEFT_INNER_EYE,
    LEFT_LOWER_LID_MIDDLE,
    LEFT_OUTER_EYE,
    LEFT_UPPER_LID_MIDDLE,
    RIGHT_INNER_EYE,
    RIGHT_LOWER_LID_MIDDLE,
    RIGHT_OUTER_EYE,
    RIGHT_UPPER_LID_MIDDLE,
)
from lit_reenact.core.files import sha256_of
from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_euler
from lit_reenact.core.schema import CropBox, Landmarks, Track
from lit_reenact.landmarks.detection import detect
from lit_reenact.landmarks.gaps import fill_gaps
from lit_reenact.metrics import mouth_opening, pearson_r, slope
from lit_reenact.tracking.face_search import MAX_GAP_SECONDS
from lit_reenact.tracking.tracker import TrackerSettings, track
from lit_reenact.tracking.working_clip import Prepared
from lit_reenact.video import iterate_frames, probe
from lit_reenact.video.cuts import shots

CHANNELS = ("yaw", "pitch", "roll", "mouth_opening", "eye_opening", "gaze_yaw", "gaze_pitch")

EYES = (
    (RIGHT_UPPER_LID_MIDDLE, RIGHT_LOWER_LID_MIDDLE, RIGHT_OUTER_EYE, RIGHT_INNER_EYE),
    (LEFT_UPPER_LID_MIDDLE, LEFT_LOWER_LID_MIDDLE, LEFT_OUTER_EYE, LEFT_INNER_EYE),
)
"""Upper lid, lower lid, outer corner and inner corner of each eye."""


@dataclass(frozen=True)
class MotionCurves:
    """The motion of a head over T frames in terms that people use; NaN where no face was detected.

    Attributes:
        yaw, pitch, roll: (T,) head pose in degrees, with the signs of ``schema``.
        mouth_opening: (T,) gap of the inner lips over the outer-eye distance.
        eye_opening: (T,) gap of the lids over the width of the eye, mean of both eyes; blinks are dips.
        gaze_yaw, gaze_pitch: (T,) gaze relative to the head in degrees, mean of both eyes.
    """

    yaw: Tensor
    pitch: Tensor
    roll: Tensor
    mouth_opening: Tensor
    eye_opening: Tensor
    gaze_yaw: Tensor
    gaze_pitch: Tensor

    def __len__(self) -> int:
        return len(self.yaw)

    def __getitem__(self, frames: slice) -> MotionCurves:
        return MotionCurves(*(getattr(self, name)[frames] for name in CHANNELS))

    @property
    def detected(self) -> Tensor:
        """Mask of the frames in which a face was detected, bool (T,)."""
        return self.yaw.isfinite()


def motion_curves(track: Track) -> MotionCurves:
    """Return the motion that a track describes."""
    parameters, points = track.parameters, track.landmarks.points
    yaw, pitch, roll = matrix_to_euler(axis_angle_to_matrix(parameters.rotation)).rad2deg().unbind(-1)
    gaze_yaw, gaze_pitch = parameters.gaze.reshape(-1, 2, 2).mean(1).rad2deg().unbind(-1)
    series = (yaw, pitch, roll, mouth_opening(points), eye_opening(points), gaze_yaw, gaze_pitch)
    missing = ~track.landmarks.found
    return MotionCurves(*(one.masked_fill(missing, math.nan) for one in series))


def eye_opening(points: Tensor) -> Tensor:
    """Return the gap of the lids over the width of the eye, mean of both eyes (T,), from landmarks (T, 478, 3) in pixels."""
    gap, width = ([(points[:, eye[a], :2] - points[:, eye[b], :2]).norm(dim=-1) for eye in EYES] for a, b in ((0, 1), (2, 3)))
    return torch.stack([g / w for g, w in zip(gap, width, strict=True)]).mean(0)


def retrack(video: Path, progress: bool = True, cuts: tuple[int, ...] = ()) -> Track:
    """Track a square face video as it is: its own frames are the working clip, nothing is cropped or encoded again.

    Args:
        video: square video of one person.
        progress: whether to show progress bars.
        cuts: the first frame after every cut; nothing is smoothed, followed or interpolated over one.

    Raises:
        ReenactError: the video cannot be read or shows no face.
    """
    info = probe(video)
    frames, label = iterate_frames(video), "tracking again" if progress else None
    spans = [stop - start for start, stop in shots(cuts, info.frame_count)]
    detections = [detect(islice(frames, span), span, label) for span in spans]
    landmarks = Landmarks(torch.cat([shot.points for shot in detections]), torch.cat([shot.found for shot in detections]))
    if not landmarks.found.any():
        raise ReenactError(f"{video}: no face was detected in any of its frames, so its motion cannot be measured")
    filled, valid = fill_gaps(landmarks, int(MAX_GAP_SECONDS * info.fps), cuts)
    prepared = Prepared(
        clip=video,
        landmarks=filled,
        valid=valid,
        crop=CropBox(0, 0, info.width),
        info=info,
        source_sha256=sha256_of(video),
        warnings=(),
        cuts=cuts,
    )
    return track(prepared, TrackerSettings(actor_fraction=1.0), progress=progress)  # nothing is held out of a measurement


def motion_fidelity(output: MotionCurves, driving: MotionCurves) -> dict[str, float | int | None]:
    """Measure how the motion of the output follows the driving motion, over the frames where both show a face.

    Returns:
        For each of ``CHANNELS``: ``NAME_r``, the Pearson correlation, and ``NAME_slope``, the slope of the output regressed on
        the driving motion (1 is the same extent; an offset does not count). None where it is undefined, as for a driver who
        never moved. ``frames`` and ``faces_found``, the share of output frames in which a face was detected.

    Raises:
        ReenactError: the two differ in their number of frames.
    """
    if len(output) != len(driving):
        raise ReenactError(
            f"the output has {len(output)} frames, its driving clip {len(driving)}: these two do not belong together"
        )
    both = output.detected & driving.detected
    result: dict[str, float | int | None] = {"frames": len(output), "faces_found": float(output.detected.double().mean())}
    for name in CHANNELS:
        x, y = getattr(driving, name)[both].double(), getattr(output, name)[both].double()
        result[f"{name}_r"], result[f"{name}_slope"] = _finite(pearson_r(x, y)), _finite(slope(x, y))
    return result


def _finite(value: Tensor | float) -> float | None:
    return float(value) if math.isfinite(value) else None


def pick_varied_frames(motion: MotionCurves, count: int) -> list[int]:
    """Return the numbers of ``count`` frames whose motion differs most, in order of time.

    The frame nearest to the mean comes first, then again and again the one farthest from all chosen so far.
    """
    numbers = motion.detected.nonzero()[:, 0]
    values = torch.stack([getattr(motion, name)[numbers] for name in CHANNELS], 1)
    values = (values - values.mean(0)) / values.std(0).clamp_min(1e-6)
    chosen = [int(values.norm(dim=1).argmin())]
    while len(chosen) < min(count, len(numbers)):
        chosen.append(int(torch.cdist(values, values[chosen]).amin(1).argmax()))
    return sorted(int(numbers[k]) for k in chosen)
