"""Values to read a metric by: what it measures between real frames of the same clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from lit_reenact.core.facemesh import FACE_POINTS, mirror_indices
from lit_reenact.core.split import Split
from lit_reenact.evaluation.clip_metrics import real_landmarks
from lit_reenact.evaluation.frame_metrics import unit
from lit_reenact.landmarks.detection import detect
from lit_reenact.metrics.face_recognition import FaceRecognition, align_for_recognition
from lit_reenact.metrics.landmarks_68 import Landmarks68, detect_68, face_boxes, landmark_distance_68, mirror_68
from lit_reenact.metrics.motion import landmark_distance
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video import resize_frames

FRAMES = 30
"""Largest number of frames of a part of the clip that are looked at, spread evenly over it."""

SHARES = (0.05, 0.5, 0.95)
"""Shares of the pairs of frames below the values of ``References.identity``."""


@dataclass(frozen=True)
class References:
    """Metrics between real frames of a clip.

    Attributes:
        noise_floor: landmark metric to its value between frames and the same frames mirrored, % of the outer-eye distance; each
            point's mean offset does not count.
        identity: ``face_distance`` and ``csim_dlib`` to their 5, 50 and 95 % over pairs of a training and a held-out frame.
    """

    noise_floor: dict[str, float]
    identity: dict[str, tuple[float, ...]]


@torch.inference_mode()
def measure_references(target: TrackedClip, split: Split, size: int, with_facemesh: bool = False) -> References:
    """Measure real frames of a clip against each other.

    Args:
        target: the clip.
        split: parts of the clip.
        size: side of the frames in pixels.
        with_facemesh: whether to measure the noise floor of FaceMesh, too, which runs its detector.

    Returns:
        The references; a value is missing where no face was detected.
    """
    held_out, training = _sample(target, split.test), _sample(target, split.train)
    if not held_out or not training:
        return References({}, {})
    frames = _read(target, held_out, size)
    landmarks, before = real_landmarks(target, held_out, size), real_landmarks(target, training, size)
    floor = {"landmarks_68": _floor_68(frames, landmarks)}
    if with_facemesh:
        floor |= _floor_facemesh(frames)
    network = FaceRecognition()
    known = network(align_for_recognition(unit(_read(target, training, size)), before))
    seen = network(align_for_recognition(unit(frames), landmarks))
    distances = torch.cdist(known, seen).flatten()
    similarities = cosine_similarity(known[:, None], seen[None], dim=-1).flatten()
    shares = known.new_tensor(SHARES)
    pairs = {"face_distance": distances, "csim_dlib": similarities}
    return References(floor, {name: tuple(values.quantile(shares).tolist()) for name, values in pairs.items()})


def _sample(target: TrackedClip, part: range) -> list[int]:
    known = [number for number in part if target.track.landmarks.found[number] and target.track.valid[number]]
    places = torch.linspace(0, len(known) - 1, min(FRAMES, len(known))).round().long().tolist()
    return [known[place] for place in places]


def _read(target: TrackedClip, numbers: Sequence[int], size: int) -> Tensor:
    return resize_frames(target.frames.read(list(numbers)), size)


def _floor_68(frames: Tensor, landmarks: Tensor) -> float:
    network, images, boxes, width = Landmarks68(), unit(frames), face_boxes(landmarks), frames.shape[2]
    mirrored = boxes.clone()
    mirrored[:, 0] = width - boxes[:, 0]
    once, again = detect_68(network, images, boxes), mirror_68(detect_68(network, images.flip(3), mirrored), width)
    return float(landmark_distance_68(once, _without_bias(again, once)).mean())


def _floor_facemesh(frames: Tensor) -> dict[str, float]:
    once, mirrored = (detect(iter(clip.contiguous().numpy()), len(clip), None) for clip in (frames, frames.flip(2)))
    again = mirrored.points[:, :FACE_POINTS][:, mirror_indices()].clone()
    again[..., 0] = frames.shape[2] - again[..., 0]
    both = once.found & mirrored.found
    if not both.any():
        return {}
    first = once.points[both][:, :FACE_POINTS]
    return {"landmark_distance": float(landmark_distance(first, _without_bias(again[both], first)).mean())}


def _without_bias(points: Tensor, others: Tensor) -> Tensor:
    """Move each of the points (T, L, D) by its mean offset to the others over all frames.

    A detector places a point beside where it places the mirrored one, by about the same in every frame, real or generated: that
    cancels out in a distance between the two.
    """
    return points + (others - points).mean(0)
