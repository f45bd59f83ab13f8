"""Metrics of held-out frames that need a network: perceptual distance, identity, and a second opinion on landmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.parallel import map_in_threads
from lit_reenact.core.schema import EMPTY
from lit_reenact.evaluation.frame_metrics import Values, unit
from lit_reenact.losses.perceptual import Lpips
from lit_reenact.metrics.face_crops import crop_faces
from lit_reenact.metrics.face_recognition import FaceRecognition, align_for_recognition, face_distance
from lit_reenact.metrics.identity import identity_similarity
from lit_reenact.metrics.landmarks_68 import Landmarks68, detect_68, face_boxes, landmark_distance_68

NETWORK_METRICS = ("lpips", "face_lpips", "csim_dlib", "face_distance", "landmarks_68")
"""Metrics of ``measure_with_networks``."""

_BATCH = 8


@dataclass(frozen=True)
class _View:
    """Facts about some frames of one method, each computed once.

    Attributes:
        whole, face: features of LPIPS of the frames and of their face crops.
        embeddings: (B, 128) of the recognition network.
        points: (B, 68, 2) landmarks in pixels.
    """

    whole: list[Tensor]
    face: list[Tensor]
    embeddings: Tensor
    points: Tensor


class _Networks:
    """The networks that look at frames."""

    def __init__(self) -> None:
        self.lpips, self.recognition, self.landmarks = Lpips(), FaceRecognition(), Landmarks68()

    def look(self, images: Tensor, region: Tensor, landmarks: Tensor) -> _View:
        """Look at images (B, 3, H, W) in [0, 1] where the real frames show the face."""
        return _View(
            whole=self.lpips.features(images * 2 - 1),
            face=self.lpips.features(crop_faces(images, region) * 2 - 1),
            embeddings=self.recognition(align_for_recognition(images, landmarks)),
            points=detect_68(self.landmarks, images, face_boxes(landmarks)),
        )

    def compare(self, generated: _View, real: _View) -> dict[str, Tensor]:
        """Return the ``NETWORK_METRICS`` of B frames, (B,) each."""
        return {
            "lpips": self.lpips.compare(generated.whole, real.whole),
            "face_lpips": self.lpips.compare(generated.face, real.face),
            "csim_dlib": identity_similarity(generated.embeddings, real.embeddings),
            "face_distance": face_distance(generated.embeddings, real.embeddings),
            "landmarks_68": landmark_distance_68(real.points, generated.points),
        }


def measure_with_networks(outputs: Mapping[str, Tensor], real: Tensor, regions: Tensor, landmarks: Tensor) -> Values:
    """Compare several methods' frames with the real ones by the networks that come with the package.

    All crops lie where the real frame shows the face, so a face in another place counts as another face.

    Args:
        outputs: method to its frames, uint8 (N, S, S, 3).
        real: real frames, uint8 (N, S, S, 3).
        regions: region images of the real frames, uint8 (N, S, S).
        landmarks: FaceMesh landmarks of the real frames in pixels, (N, 478, 3); NaN where no face was detected.

    Returns:
        Method to metric to the value of each frame, (N,); NaN where the metric needs a face and none was detected.
    """
    networks, detected = _Networks(), landmarks.isfinite().flatten(1).all(1)

    @torch.inference_mode()
    def compare(part: slice) -> Values:
        place = regions[part] != EMPTY, landmarks[part]
        wanted = networks.look(unit(real[part]), *place)
        return {method: networks.compare(networks.look(unit(frames[part]), *place), wanted) for method, frames in outputs.items()}

    parts = map_in_threads(compare, _slices(len(real)))
    values = {method: {name: torch.cat([part[method][name] for part in parts]) for name in NETWORK_METRICS} for method in outputs}
    for metrics in values.values():
        for name in NETWORK_METRICS[1:]:
            metrics[name] = metrics[name].where(detected, torch.nan)
    return values


def _slices(frames: int) -> Iterator[slice]:
    for start in range(0, frames, _BATCH):
        yield slice(start, start + _BATCH)
