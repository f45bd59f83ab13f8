"""Small runs for tests: their networks have learned to copy the face in their input."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from lit_reenact.app.runs import OpenRun, open_run
from lit_reenact.app.session import EditingSession
from lit_reenact.losses.settings import LossSettings
from lit_reenact.networks.settings import DiscriminatorSettings, GeneratorSettings, InputSettings
from lit_reenact.networks.windows import WindowMemory, stack_windows, to_signed
from lit_reenact.synthesis import target_renderer
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.module import ReenactModule
from tests.factories import make_track

FRAMES, SIZE = 40, 64


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network has hardly begun to learn; its frames only depend on its input."""
    return make_run(tmp_path_factory.mktemp("run"), steps=20)


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network copies the face in its input, which takes seconds to learn."""
    return make_run(tmp_path_factory.mktemp("trained"), steps=120)


@pytest.fixture(scope="session")
def run(run_folder: Path) -> OpenRun:
    return open_run(None, run_folder)


@pytest.fixture
def session(run: OpenRun) -> EditingSession:
    return EditingSession.begin(run)


def make_run(folder: Path, steps: int) -> Path:
    """Write a run folder like one of ``lit-reenact fit``, beside the folder ``track`` that it was trained on."""
    make_track(folder / "track", frames=FRAMES, size=SIZE)
    checkpoint = folder / "run" / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    (folder / "run" / "config.yaml").write_text(yaml.safe_dump({"data": {"track": "track"}}))
    module = train(TrackedClip.load(folder / "track"), steps)
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, checkpoint)
    return folder / "run"


def train(target: TrackedClip, steps: int) -> ReenactModule:
    """Train a network that copies the face in its input into its frame."""
    torch.manual_seed(0)
    module = ReenactModule(
        InputSettings(window=3, image_size=SIZE),
        GeneratorSettings(channels=16, levels=4, max_channels=32, norm="instance", head="tanh"),
        DiscriminatorSettings(channels=4),
        LossSettings(lpips=0.0),
    )
    generator = module.generator.train()
    images = target_renderer(target.track, generator)(target.track.parameters)  # (T, 9, H, W)
    frames = to_signed(target.read(slice(None), SIZE).permute(0, 3, 1, 2))
    optimizer = torch.optim.Adam(generator.parameters(), lr=3e-3)
    shape = generator.shape
    for _ in range(steps):
        chosen = torch.randint(0, FRAMES, (4,))
        windows = stack_windows(images, shape.frames(chosen, 0, FRAMES - 1), WindowMemory())
        loss = (generator(windows) - frames[chosen]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module
