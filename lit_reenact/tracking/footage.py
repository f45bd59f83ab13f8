"""A clip as the tracker sees it: landmarks, timing and camera, with the face model to fit and the settings."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.smoothing import Timing


@dataclass(frozen=True)
class Footage:
    """Everything that the fit to a clip of T frames depends on, except its pixels.

    Attributes:
        points: (T, 478, 3) landmarks in pixels, NaN in frames without them.
        timing: which frames are seen, valid, repeated, and used for training.
        model: face model.
        camera: camera of the clip.
        settings: settings of the tracker.
    """

    points: Tensor
    timing: Timing
    model: FaceModel
    camera: Camera
    settings: TrackerSettings
