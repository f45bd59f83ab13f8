"""Choice of reference frames: training frames whose pixels may be warped to a wanted pose and expression.

Everything here is numbers: parameters in, frame numbers out. Frames are compared by *features*, (N, F), of which two rows are the
farther apart the more their frames differ in the picture; the distance is in pixels of the camera.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import gaze_direction, head_to_camera, project
from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.face.eyelids import gaps
from lit_reenact.face.model import FaceModel

IRIS_WEIGHT = 20.0
"""Weight of an iris, where a face landmark has 1: gaze shows in few landmarks but in a visible share of the picture."""

OPENING_WEIGHTS = (4.0, 4.0, 3.0)
"""Weights of the gaps of the left eye, the right eye and the mouth: a lid that moves by a pixel counts as much as a head that
moves by four. A warp moves a head to its place, but cannot open an eye or a mouth."""

_BATCH = 256


def pose_and_expression_features(model: FaceModel, actor: Actor, camera: Camera, parameters: FaceParameters) -> Tensor:
    """Return features whose squared distance is the mean squared distance, in px^2, of projected landmarks and irises.

    This weights rotation, translation, identity, expression and gaze by what they move in the picture. Light is left out: it
    moves nothing.

    Args:
        model: face model of the track.
        actor: the person.
        camera: camera whose pixels the distance is counted in.
        parameters: parameters of T frames.

    Returns:
        (T, F).
    """
    landmarks = model.landmarks_of(actor, parameters)
    directions = gaze_direction(parameters.gaze.reshape(-1, 2, 2))
    irises = actor.eyeballs + model.eye_radius * directions  # (T, 2, 3)
    points = torch.cat([landmarks, irises], 1)
    pixels = project(head_to_camera(points, parameters.rotation, parameters.translation), camera)[..., :2]
    weight = pixels.new_ones(points.shape[1])
    weight[-2:] = IRIS_WEIGHT
    return (pixels * (weight / weight.sum()).sqrt()[:, None]).flatten(1)


def key_frame_features(model: FaceModel, actor: Actor, camera: Camera, parameters: FaceParameters) -> Tensor:
    """Return ``pose_and_expression_features`` and, weighted, the gaps between lids and lips in pixels: (T, F + 3).

    Without the gaps, the few landmarks about eyes and mouth would never outweigh the motion of the head, and a set of key frames
    would hold no shut eye and no open mouth. The arguments are those of ``pose_and_expression_features``.
    """
    heights = gaps(model.landmarks_of(actor, parameters)) * (camera.focal / parameters.translation[:, 2:])
    weighted = heights * heights.new_tensor(OPENING_WEIGHTS)
    return torch.cat([pose_and_expression_features(model, actor, camera, parameters), weighted], 1)


def choose_key_frames(features: Tensor, candidates: Tensor, count: int) -> Tensor:
    """Choose frames that differ from each other as much as possible: farthest points, always the same for the same features.

    The first is the frame nearest to the mean, and every further one is the frame farthest from all those before it. A rare frame
    (a blink, a wide mouth) is therefore chosen sooner than one of many similar frames, and no two chosen frames are equal.

    Args:
        features: (N, F), one row for each candidate.
        candidates: int64 (N,), frame numbers.
        count: number of key frames, at least 1.

    Returns:
        int64 (count,) frame numbers in the order of choice: a smaller set is the beginning of a larger one.

    Raises:
        ReenactError: fewer than ``count`` candidates differ from each other.

    Example:
        >>> training = torch.arange(400)
        >>> features = key_frame_features(model, track.actor, track.camera, track.parameters[training])
        >>> choose_key_frames(features, training, count=4)  # int64 (4,)
    """
    features = features.double()
    distance = features.new_full((len(features),), torch.inf)  # from the nearest chosen frame
    nearest_to_mean = (features - features.mean(0)).square().sum(1)
    chosen: list[int] = []
    while len(chosen) < count:
        if not distance.any():  # all candidates are chosen, or equal to one that is
            raise ReenactError(
                f"{count} key frames are wanted, but only {len(chosen)} of {len(candidates)} training frames differ in pose or "
                f"expression: ask for at most {len(chosen)}"
            )
        chosen.append(int(distance.argmax() if chosen else nearest_to_mean.argmin()))
        distance = torch.minimum(distance, (features - features[chosen[-1]]).square().sum(1))
    return candidates[chosen]


def outside_gap(candidates: Tensor, sources: Tensor, gap: int) -> Tensor:
    """Mark the candidates that lie far enough in time from source frames.

    Args:
        candidates: int64 (N,), frame numbers.
        sources: int64 (T,), frame numbers.
        gap: a candidate this many frames from a source, or fewer, is too near.

    Returns:
        bool (T, N), True where the candidate may be used.
    """
    return (sources[:, None] - candidates).abs() > gap


def nearest_frames(
    wanted: Tensor, features: Tensor, candidates: Tensor, allowed: Tensor | None = None, margin: float = 0.0
) -> Tensor:
    """Return the candidate nearest to each wanted frame, without needless changes from one wanted frame to the next.

    Args:
        wanted: (T, F) features of frames that follow each other.
        features: (N, F), one row for each candidate.
        candidates: int64 (N,), frame numbers.
        allowed: bool (T, N), candidates that may be used for each wanted frame; None for all.
        margin: a frame keeps the candidate of the frame before it until another one is nearer by this much, in pixels. At 0 the
            result of a frame does not depend on the frames before it.

    Returns:
        int64 (T,) frame numbers; the first of several that are equally near.

    Raises:
        ReenactError: no candidate is allowed for a wanted frame.

    Example:
        >>> allowed = outside_gap(training, sources, gap=15)
        >>> nearest_frames(wanted, features, training, allowed, margin=0.5)  # int64 (T,)
    """
    chosen: list[int] = []
    for start in range(0, len(wanted), _BATCH):
        distances = torch.cdist(wanted[start : start + _BATCH], features, compute_mode="donot_use_mm_for_euclid_dist")
        if allowed is not None:
            distances.masked_fill_(~allowed[start : start + _BATCH], torch.inf)
        shortest, nearest = distances.min(1)
        if bool(shortest.isinf().any()):
            raise ReenactError("no training frame is left as a reference: choose a smaller gap, or a longer clip")
        for row, least, best in zip(distances, shortest.tolist(), nearest.tolist(), strict=True):
            keep = bool(margin) and bool(chosen) and float(row[chosen[-1]]) < least + margin
            chosen.append(chosen[-1] if keep else best)
    return candidates[chosen]
