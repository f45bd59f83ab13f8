"""A face that moves as is known, and its landmarks as a detector without an error would see them."""

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
    """A track in its folder, and its landmarks (T, 478, 3) in pixels."""

    folder: Path
    track: Track
    points: Tensor


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("live")
    made = make_track(folder, frames=FRAMES, size=SIZE, fps=Fraction(30))
    parameters, camera = made.parameters, made.camera
    eyes = made.actor.eyeballs + 10.45 * gaze_direction(parameters.gaze.view(-1, 2, 2))  # the left and the right iris
    head = torch.cat([builtin_model().landmarks_of(made.actor, parameters), eyes[:, [1] * 5 + [0] * 5]], 1)
    seen = project(head_to_camera(head, parameters.rotation, parameters.translation), camera)
    distance = parameters.translation[:, None, 2]
    depth = (seen[..., 2] - distance) * camera.focal / distance / 0.8  # as MediaPipe exaggerates it
    return Scene(folder, made, torch.cat([seen[..., :2], depth[..., None]], -1))


@pytest.fixture
def generator() -> Generator:
    """Makes frames of 32 pixels of windows of 3, like nobody's."""
    torch.manual_seed(0)
    made = make_module().generator.eval()
    torch.nn.init.normal_(made.to_frame.weight, std=50.0)  # as it is made, it shows hardly anything
    return made
