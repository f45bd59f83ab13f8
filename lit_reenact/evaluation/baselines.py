"""Baselines that a network has to beat: frames taken from the training frames, without learning anything.

The baselines see the same training frames as the network and nothing else, and answer any ``FaceParameters`` with frames. One
more, which renders the face into the nearest frame, is in ``rendered_face``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.face.model import FaceModel
from lit_reenact.rendering.mesh_warp import MeshWarp
from lit_reenact.rendering.reference_selection import nearest_frames, pose_and_expression_features

ReadFrames = Callable[[list[int]], Tensor]
"""Function from frame numbers to the frames of a clip, uint8 (N, H, W, 3)."""

_BATCH = 32


class MeanFrame:
    """The mean of the training frames, whatever the parameters are.

    Args:
        read: function that reads frames of the clip.
        training: numbers of the training frames with a known face, int64 (N,).
    """

    def __init__(self, read: ReadFrames, training: Tensor) -> None:
        total = torch.zeros((), dtype=torch.float64)
        for frames in _read_in_batches(read, training):
            total = total + frames.double().sum(0)
        self.frame = (total / len(training)).round().to(torch.uint8)

    def frames(self, parameters: FaceParameters) -> Iterator[Tensor]:
        """Yield a frame, uint8 (H, W, 3), for each frame of the parameters."""
        for _ in range(len(parameters)):
            yield self.frame


class NearestFrame:
    """The training frame whose tracked face is most similar to the wanted one.

    Similarity is the distance of ``pose_and_expression_features``.

    Args:
        read: function that reads frames of the clip.
        training: numbers of the training frames with a known face, int64 (N,).
        parameters: tracked parameters of the whole clip.
        model: face model of the track.
        actor: actor of the track.
        camera: camera of the clip.

    Example:
        >>> nearest = NearestFrame(read, training, track.parameters, model, track.actor, track.camera)
        >>> frames = torch.stack(list(nearest.frames(track.parameters[500:])))  # (T, H, W, 3)
    """

    def __init__(
        self, read: ReadFrames, training: Tensor, parameters: FaceParameters, model: FaceModel, actor: Actor, camera: Camera
    ) -> None:
        self._read, self._training, self._parameters = read, training, parameters
        self._model, self._actor, self._camera = model, actor, camera
        self._features = self._features_of(parameters[training])

    def numbers(self, parameters: FaceParameters) -> Tensor:
        """Return the numbers of the nearest training frames, int64 (T,)."""
        return nearest_frames(self._features_of(parameters), self._features, self._training)

    def frames(self, parameters: FaceParameters) -> Iterator[Tensor]:
        """Yield a frame, uint8 (H, W, 3), for each frame of the parameters."""
        for start in range(0, len(parameters), _BATCH):
            wanted = parameters[start : start + _BATCH]
            numbers = self.numbers(wanted)
            yield from self._adapt(self._read(numbers.tolist()), self._parameters[numbers], wanted)

    def _features_of(self, parameters: FaceParameters) -> Tensor:
        return pose_and_expression_features(self._model, self._actor, self._camera, parameters)

    def _adapt(self, frames: Tensor, own: FaceParameters, wanted: FaceParameters) -> Tensor:
        """Change frames uint8 (N, H, W, 3) that show the parameters ``own`` towards ``wanted``; here they stay as they are."""
        return frames


class WarpedNearestFrame(NearestFrame):
    """The nearest frame, warped so that its face lies where the wanted one does (``MeshWarp``)."""

    def _adapt(self, frames: Tensor, own: FaceParameters, wanted: FaceParameters) -> Tensor:
        return MeshWarp(self._model, self._actor, self._camera)(frames, own, wanted)


def _read_in_batches(read: ReadFrames, numbers: Tensor) -> Iterator[Tensor]:
    wanted = numbers.tolist()
    for start in range(0, len(wanted), _BATCH):
        yield read(wanted[start : start + _BATCH])
