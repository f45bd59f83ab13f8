"""Training and synthesis on another device than the processor, without one: nothing mixes tensors of the two.

What a GPU makes of the numbers is for the tests that are marked ``gpu``.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.strategies import SingleDeviceStrategy

from lit_reenact.callbacks import (
    BatchBudget,
    BatchStepCheckpoint,
    ExponentialMovingAverage,
    FrameMetrics,
    GracefulStop,
    LearningRateSchedule,
    ReenactmentVideo,
    Throughput,
    TrainingHealth,
)
from lit_reenact.datamodules import track_datamodule
from lit_reenact.datamodules.augmentation import Augmentation
from lit_reenact.synthesis import generated_frames
from lit_reenact.synthesis.inference import load_generator, render_frames
from lit_reenact.tracking.tracked_clip import TrackedClip
from tests.elsewhere import THERE, Elsewhere, another_device
from tests.factories import make_data, make_module, make_track


class Accelerator(CPUAccelerator):
    """Accelerator of the device ``THERE``."""

    def setup_device(self, device: torch.device) -> None:
        pass


@pytest.fixture
def _device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It has a fused Adam, as CUDA has, and a state of random numbers; and conditioning images are drawn there."""
    generator = SimpleNamespace(get_rng_state=torch.get_rng_state, set_rng_state=lambda state: None)
    module_of = torch.get_device_module
    monkeypatch.setattr(torch, "get_device_module", lambda device: generator if device == THERE else module_of(device))
    optimizers: Any = import_module("torch.optim.optimizer")
    monkeypatch.setattr(optimizers, "_get_fused_kernels_supported_devices", lambda: ["cpu", THERE.type])
    draw = track_datamodule.ensure_cache
    monkeypatch.setattr(track_datamodule, "ensure_cache", lambda file, renderer, of: draw(file, renderer.to(THERE), of, False))
    # Torch lets no tensor of this kind take part in inference mode.
    monkeypatch.setattr(generated_frames, "render_frames", torch.no_grad()(render_frames.__wrapped__))  # type: ignore[attr-defined]
    with another_device():
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Folders of two tracks."""
    folder = tmp_path_factory.mktemp("tracks")
    for seed in (0, 1):
        make_track(folder / str(seed), seed=seed)
    return [str(folder / str(seed)) for seed in (0, 1)]


def trainer_of(folder: Path, budget: int, driver: str) -> Trainer:
    callbacks = [
        ExponentialMovingAverage(),
        FrameMetrics(),
        ReenactmentVideo(driver=driver, max_frames=4),
        BatchBudget(budget),
        LearningRateSchedule(),
        BatchStepCheckpoint(every_n_batches=2),
        Throughput(warm_up=1),
        TrainingHealth(),
        GracefulStop(),
    ]
    strategy = SingleDeviceStrategy(device=THERE, accelerator=Accelerator())
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    quiet |= {"limit_val_batches": 1, "limit_test_batches": 1}
    counted = {"max_epochs": -1, "check_val_every_n_epoch": None, "val_check_interval": 2, "log_every_n_steps": 1}
    return Trainer(default_root_dir=folder, callbacks=callbacks, strategy=strategy, inference_mode=False, **quiet, **counted)


def test_devices_are_told_apart() -> None:
    with another_device():
        there, here = torch.rand(3).to(THERE), torch.rand(3)
        assert isinstance(there * 2 + torch.tensor(1), Elsewhere)
        assert torch.equal((there + here.to(THERE)).cpu(), there.cpu() + here)
        assert there[torch.tensor([2, 0])].tolist() == there.cpu()[[2, 0]].tolist()
        with pytest.raises(RuntimeError, match="two devices"):
            there + here
        with pytest.raises(TypeError):
            np.square(there.numpy())


SETTINGS: dict[str, dict[str, Any]] = {
    "drawn on the device": {
        "data": {"loading": {"rendering": "device", "flow": True, "run_length": 2}},
        "module": {"losses": {"temporal": 1.0}},
    },
    "augmented": {"data": {"augmentation": Augmentation(3, 0.04, 0.04, 0.1, 0.1, 0.1), "balance": True}},
    "all losses": {
        "module": {
            "losses": dict.fromkeys(("r1", "feature_matching", "face_l1", "eyes_l1", "mouth_l1", "lpips"), 1.0),
            "optimizer": {"clip_norm": 1.0, "micro_batches": 2},
            "discriminator": {"norm": "spectral"},
        }
    },
    "other images": {
        name: {"inputs": {"conditioning": ["normals", "landmarks", "diffuse", "depth"]}} for name in ("data", "module")
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.usefixtures("_device")
@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
def test_a_training(folders: list[str], tmp_path: Path, settings: dict[str, dict[str, Any]]) -> None:
    """With all callbacks, of two actors; it is resumed, tested, and drives videos."""
    for budget, checkpoint in ((2, None), (3, tmp_path / "checkpoints" / "last.ckpt")):
        data, module = make_data(folders, **settings.get("data", {})), make_module(**settings.get("module", {}))
        trainer = trainer_of(tmp_path, budget, driver=folders[1])
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        assert module.batch_step == budget
    trainer.test(module, datamodule=data, ckpt_path=tmp_path / "checkpoints" / "best.ckpt", weights_only=True, verbose=False)
    assert 0 < trainer.callback_metrics["test/face_l1"] < 255
    assert len(list((tmp_path / "videos").glob("*-driven.mp4"))) == 2

    target, source = (TrackedClip.load(Path(folder)) for folder in folders)
    generator = load_generator(tmp_path / "checkpoints" / "best.ckpt", THERE, target.track)
    assert isinstance(next(generator.parameters()), Elsewhere)
    chunks = generated_frames.synthesise(generator, target.track, source.track.parameters[:9])
    assert [(tuple(frames.shape), frames.device.type) for _, frames, _ in chunks] == [((n, 32, 32, 3), "cpu") for n in (8, 1)]
