"""Every shipped configuration parses, says how it is run, and trains a batch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from lit_reenact.networks.generator import Generator
from lit_reenact.training import fit
from lit_reenact.training.settings import module_settings
from tests.factories import make_track

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))
TRACK = " --track outputs/tracks/NAME"
SMALL = [
    "--model.inputs.image_size=64",
    "--model.generator.levels=4",
    "--model.generator.channels=4",
    "--model.generator.max_channels=8",
    "--model.discriminator.channels=4",
]
SHORT = [
    "--budget.max_batch_steps=1",
    "--data.batch_size=2",
    "--data.loading.workers=0",
    "--data.split.fractions=[0.5,0.25]",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.sync_batchnorm=false",  # which needs a GPU
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
    shipped = {"ddp", "debug", "demo", "fast", "finetune", "high_resolution", "paper", "pretrain", "slurm"}
    assert shipped <= {config.stem for config in CONFIGS}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_it_opens_with_its_command(config: Path) -> None:
    command = re.escape(f"# lit-reenact fit --config configs/{config.name}")
    others = {"pretrain": " --track people.txt", "finetune": f"{TRACK} --init_from outputs/pretrain/seed-0/checkpoints/best.ckpt"}
    assert re.match(rf"{command}({others.get(config.stem, TRACK)})?\n", config.read_text())


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_it_trains_a_batch(config: Path, track_folder: Path, tmp_path: Path) -> None:
    """At its own settings but for the sizes: the network's, the clip's and the batch's."""
    run = fit.run_fit([f"--config={config}", f"--track={track_folder}", f"--output={tmp_path}", *SMALL, *SHORT])
    assert run.path == tmp_path / config.stem / "seed-0"
    assert run.batch_step() == 1
    assert run.best.is_file()


def test_an_override_reaches_every_place_that_refers_to_it(track_folder: Path, tmp_path: Path) -> None:
    arguments = [
        f"--config={CONFIGS[0].with_name('demo.yaml')}",
        f"--track={track_folder}",
        f"--output={tmp_path}",
        "--model.inputs.window=5",
        *SMALL,
        *SHORT,
    ]
    assert "window: 5\n" in fit.run_fit(arguments).config.read_text().split("data:")[0]


def test_fast_takes_a_quarter_of_the_operations_of_the_paper() -> None:
    """Operations of one frame, counted by PyTorch without running anything."""

    def operations(name: str) -> int:
        settings = module_settings(yaml.safe_load((CONFIGS[0].parent / name).read_text())["model"])
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            Generator(settings["inputs"], settings["generator"])(torch.empty(1, 99, 256, 256))
        return int(counter.get_total_flops())

    assert 4 * operations("fast.yaml") <= operations("paper.yaml")


def test_a_pretrained_network_is_finetuned(track_folder: Path, tmp_path: Path) -> None:
    folder = CONFIGS[0].parent
    rest = [f"--track={track_folder}", f"--output={tmp_path}", *SMALL, *SHORT]
    pretrained = fit.run_fit([f"--config={folder / 'pretrain.yaml'}", *rest])
    fit.run_fit([f"--config={folder / 'finetune.yaml'}", *rest, f"--init_from={pretrained.best}"])
