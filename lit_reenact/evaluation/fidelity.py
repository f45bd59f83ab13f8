"""The motion of generated frames against that of the real ones, both tracked again from pixels alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.schema import Track
from lit_reenact.evaluation.intervals import products
from lit_reenact.evaluation.motion import eye_opening, retrack
from lit_reenact.face import load_face_model
from lit_reenact.metrics.blinks import blink_events
from lit_reenact.metrics.motion import expression_distance, gaze_error, landmark_distance, pose_distance
from lit_reenact.provenance import ai_generated_tags
from lit_reenact.synthesis import OUTPUT_CRF
from lit_reenact.video import VideoWriter


def measure_motion(
    generated: Tensor, real: Tensor, fps: Fraction, cuts: tuple[int, ...] = (), progress: bool = True
) -> dict[str, Tensor]:
    """Track the generated and the real frames again and compare their motion.

    Both are tracked as one video with a cut between them: what a tracker learns about a person (which pose is frontal, where the
    eyes look straight ahead, how wide a mouth opens) is then the same for both, and only motion can differ.

    Args:
        generated: uint8 (N, S, S, 3).
        real: uint8 (N, S, S, 3).
        fps: frames per second.
        cuts: first frame after every cut in the real frames.
        progress: whether to show progress bars.

    Returns:
        The metrics of ``compare_motion``.

    Raises:
        ReenactError: no face is detected in any frame.
    """
    count = len(real)
    both = (*cuts, count, *(count + cut for cut in cuts))
    return compare_motion(retrack_frames(torch.cat([real, generated]), fps, both, progress), count)


def retrack_frames(frames: Iterable[Tensor], fps: Fraction, cuts: tuple[int, ...] = (), progress: bool = True) -> Track:
    """Track frames from their pixels alone, as a video shows them.

    Args:
        frames: uint8 (S, S, 3) each.
        fps: frames per second.
        cuts: first frame after every cut in the frames.
        progress: whether to show progress bars.

    Raises:
        ReenactError: no face is detected in any frame.
    """
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "frames.mp4"
        with VideoWriter(video, fps, tags=ai_generated_tags("generated frames"), crf=OUTPUT_CRF) as writer:
            for frame in frames:
                writer.write(frame)
        return retrack(video, progress, cuts)


def compare_motion(track: Track, count: int) -> dict[str, Tensor]:
    """Compare the frames [0, count) of a track, the driving motion, with the rest, the motion of the output.

    Returns:
        Metric to the values of each frame, (N, ...), NaN where one of the two shows no face: ``pose_distance``,
        ``expression_distance``, ``landmark_distance`` and ``gaze_error`` of ``metrics.motion``; the series from which
        ``intervals`` computes ``blink_f1`` and ``jaw_r``, the correlation of the jaw's opening; and ``face_found``, 1 for an
        output frame that shows a face.
    """
    driving, output = track.parameters[:count], track.parameters[count:]
    wanted, detected = track.landmarks.points[:count], track.landmarks.points[count:]
    jaw = load_face_model(track.info.face_model).expression_names.index("jawOpen")
    values = {
        "pose_distance": pose_distance(driving.rotation, output.rotation),
        "expression_distance": expression_distance(driving.expression, output.expression),
        "landmark_distance": landmark_distance(wanted, detected),
        "gaze_error": gaze_error(driving.gaze, output.gaze),
        "blink_f1": blink_events(eye_opening(wanted), eye_opening(detected), float(Fraction(track.info.fps))),
        "jaw_r": torch.stack([driving.expression[:, jaw], output.expression[:, jaw]], -1),
    }
    both = track.landmarks.found[:count] & track.landmarks.found[count:]
    values = {name: series.double() for name, series in values.items()}
    for series in values.values():
        series[~both] = torch.nan
    values["jaw_r"] = products(*values["jaw_r"].unbind(-1))
    return {**values, "face_found": track.landmarks.found[count:].double()}
