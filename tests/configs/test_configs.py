"""Every shipped configuration parses, says how it is run, and trains a batch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lit_reenact import fit
from tests.factories import make_track

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))
SMALL = [
    "--model.image_size=64",
    "--model.levels=4",
    "--model.channels=4",
    "--model.max_channels=8",
    "--model.discriminator_channels=4",
]
SHORT = [
    "--budget.max_batch_steps=1",
    "--data.batch_size=2",
    "--data.workers=0",
    "--data.fractions=[0.5,0.25]",
    "--trainer.accelerator=cpu",
]


@pytest.fixture(scope="module")
def track_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("configs") / "track"
    make_track(folder, size=64)
    return folder


@pytest.fixture(autouse=True)
def _without_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its background process takes seconds to start."""
    monkeypatch.setenv("WANDB_MODE", "disabled")


def test_there_are_configurations() -> None:
    assert {"demo", "debug", "paper"} <= {config.stem for config in CONFIGS}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_it_opens_with_its_command(config: Path) -> None:
    command = re.escape(f"# lit-reenact fit --config configs/{config.name}")
    assert re.match(rf"{command}( --track outputs/tracks/NAME)?\n", config.read_text())


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_it_trains_a_batch(config: Path, track_folder: Path, tmp_path: Path) -> None:
    """At its own settings but for the sizes: the network's, the clip's and the batch's."""
    run = fit.run_fit([f"--config={config}", f"--track={track_folder}", f"--output={tmp_path}", *SMALL, *SHORT])
    assert run.path == tmp_path / config.stem / "seed-0"
    assert run.batch_step() == 1
    assert run.best.is_file()


def test_an_override_reaches_every_place_that_refers_to_it(track_folder: Path, tmp_path: Path) -> None:
    arguments = [f"--config={CONFIGS[0]}", f"--track={track_folder}", f"--output={tmp_path}", "--model.window=5", *SMALL, *SHORT]
    assert "window: 5\n" in fit.run_fit(arguments).config.read_text().split("data:")[1]
