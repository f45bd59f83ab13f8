"""Does the motion follow? The output video is tracked again from its pixels alone and compared with the driving track.

Nothing of the conditioning, the transfer or the network enters here: only what a landmark detector sees in the pictures.
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
from lit_reenact.tracking.tracker import TrackerSettings, track
from lit_reenact.tracking.working_clip import MAX_GAP_SECONDS, Prepared
from lit_reenact.video import iterate_frames, probe
from lit_reenact.video.cuts import shots

CHANNELS = ("yaw", "pitch", "roll", "mouth_opening", "eye_opening", "gaze_yaw", "gaze_pitch")

EYES = (
    (RIGHT_UPPER_LID_MIDDLE, RIGHT_LOWER_LID_MIDDLE, RIGHT_OUTER_EYE, RIGHT_INNER_EYE),
    (LEFT_UPPER_LID_MIDDLE, LEFT_LOWER_LID_MIDDLE, LEFT_OUTER_EYE, LEFT_INNER_EYE),
)
"""Upper lid, lower lid, outer corner and inner corner of each eye."""


@dataclass(frozen=True)
class Motion:
    """What a head does over ``T`` frames, as a person would describe it; NaN where no face was found.

    Attributes:
        yaw, pitch, roll: (T,) of the head, degrees; signs as in ``schema``.
        mouth_opening: (T,) inner-lip gap over outer-eye distance.
        eye_opening: (T,) lid gap over the width of the eye, mean of both eyes; blinks are its dips.
        gaze_yaw, gaze_pitch: (T,) relative to the head, degrees, mean of both eyes.
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

    def __getitem__(self, frames: slice) -> Motion:
        return Motion(*(getattr(self, name)[frames] for name in CHANNELS))

    @property
    def found(self) -> Tensor:
        """Where a face was found, bool (T,)."""
        return self.yaw.isfinite()


def motion_of(track: Track) -> Motion:
    """The motion that a track describes."""
    parameters, points = track.parameters, track.landmarks.points
    yaw, pitch, roll = matrix_to_euler(axis_angle_to_matrix(parameters.rotation)).rad2deg().unbind(-1)
    gaze_yaw, gaze_pitch = parameters.gaze.reshape(-1, 2, 2).mean(1).rad2deg().unbind(-1)
    series = (yaw, pitch, roll, mouth_opening(points), eye_opening(points), gaze_yaw, gaze_pitch)
    missing = ~track.landmarks.found
    return Motion(*(one.masked_fill(missing, math.nan) for one in series))


def eye_opening(points: Tensor) -> Tensor:
    """Lid gap over the width of the eye, mean of both eyes: landmarks (T, 478, 3) in pixels to (T,)."""
    gap, width = ([(points[:, eye[a], :2] - points[:, eye[b], :2]).norm(dim=-1) for eye in EYES] for a, b in ((0, 1), (2, 3)))
    return torch.stack([g / w for g, w in zip(gap, width, strict=True)]).mean(0)


def retrack(video: Path, progress: bool = True, cuts: tuple[int, ...] = ()) -> Track:
    """Track a square face video just as it is: its own frames are the working clip, nothing is cropped or encoded again.

    Args:
        video: of one person.
        progress: whether to show progress bars.
        cuts: the first frame after every cut; nothing is smoothed, followed or interpolated over one.

    Raises:
        ReenactError: the video cannot be read or shows no face.
    """
    info = probe(video)
    frames, label = iterate_frames(video), "finding the face again" if progress else None
    spans = [stop - start for start, stop in shots(cuts, info.frame_count)]
    found = [detect(islice(frames, span), span, label) for span in spans]
    landmarks = Landmarks(torch.cat([shot.points for shot in found]), torch.cat([shot.found for shot in found]))
    if not landmarks.found.any():
        raise ReenactError(f"{video}: no face was found in any of its frames, so its motion cannot be measured")
    filled, valid = fill_gaps(landmarks, int(MAX_GAP_SECONDS * info.fps), cuts)
    prepared = Prepared(
        clip=video,
        landmarks=filled,
        valid=valid,
        crop=CropBox(0, 0, info.width),
        info=info,
        source_sha256=sha256_of(video),
        notes=(),
        cuts=cuts,
    )
    return track(prepared, TrackerSettings(actor_fraction=1.0), progress=progress)  # nothing is held out of a measurement


def motion_fidelity(output: Motion, driving: Motion) -> dict[str, float | int | None]:
    """How the motion found in the output follows the driving motion, over the frames where both show a face.

    Returns:
        For each of ``CHANNELS``: ``NAME_r``, the Pearson correlation, and ``NAME_slope``, of the output regressed on the driving
        motion (1 is the same extent; an offset does not count). None where it is undefined, as for a driver who never moved.
        ``frames`` and ``faces_found``, the share of output frames in which a face was found.

    Raises:
        ReenactError: the two differ in their number of frames.
    """
    if len(output) != len(driving):
        raise ReenactError(
            f"the output has {len(output)} frames, its driving clip {len(driving)}: these two do not belong together"
        )
    both = output.found & driving.found
    result: dict[str, float | int | None] = {"frames": len(output), "faces_found": float(output.found.double().mean())}
    for name in CHANNELS:
        x, y = getattr(driving, name)[both].double(), getattr(output, name)[both].double()
        result[f"{name}_r"], result[f"{name}_slope"] = _finite(pearson_r(x, y)), _finite(slope(x, y))
    return result


def _finite(value: Tensor | float) -> float | None:
    return float(value) if math.isfinite(value) else None


def varied_frames(motion: Motion, count: int) -> list[int]:
    """Numbers of ``count`` frames that differ from one another as much as they can, in order of time; chosen by motion alone.

    Starts with the frame nearest to the mean, then always takes the one farthest from all taken so far.
    """
    numbers = motion.found.nonzero()[:, 0]
    values = torch.stack([getattr(motion, name)[numbers] for name in CHANNELS], 1)
    values = (values - values.mean(0)) / values.std(0).clamp_min(1e-6)
    chosen = [int(values.norm(dim=1).argmin())]
    while len(chosen) < min(count, len(numbers)):
        chosen.append(int(torch.cdist(values, values[chosen]).amin(1).argmax()))
    return sorted(int(numbers[k]) for k in chosen)
