"""A face with known motion, and its exact landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lit_reenact.core.geometry import gaze_direction, head_to_camera, project
from lit_reenact.core.schema import Track
from lit_reenact.face import builtin_model
from lit_reenact.networks.generator import Generator
from tests.factories import make_module, make_track

FRAMES, SIZE = 60, 64


@dataclass(frozen=True)
class Scene:
    """A track, its folder, and its landmarks (T, 478, 3) in pixels."""

    folder: Path
    track: Track
    points: Tensor


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("live")
    track = make_track(folder, frames=FRAMES, size=SIZE, fps=Fraction(30))
    parameters, camera = track.parameters, track.camera
    eyes = track.actor.eyeballs + 10.45 * gaze_direction(parameters.gaze.view(-1, 2, 2))  # the left and the right iris
    head = torch.cat([builtin_model().landmarks_of(track.actor, parameters), eyes[:, [1] * 5 + [0] * 5]], 1)
    seen = project(head_to_camera(head, parameters.rotation, parameters.translation), camera)
    distance = parameters.translation[:, None, 2]
    depth = (seen[..., 2] - distance) * camera.focal / distance / 0.8  # as MediaPipe exaggerates it
    return Scene(folder, track, torch.cat([seen[..., :2], depth[..., None]], -1))


@pytest.fixture
def generator() -> Generator:
    """An untrained generator: windows of 3 frames of 32 pixels."""
    torch.manual_seed(0)
    network = make_module().generator.eval()
    torch.nn.init.normal_(network.to_frame.weight, std=50.0)  # with its initial weights all frames look the same
    return network
