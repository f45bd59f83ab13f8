"""Key frames on their way from a training into a checkpoint and into generated videos."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters
from lit_reenact.datamodules import TrackDataModule
from lit_reenact.synthesis import synthesise
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.training.module import ReenactModule
from tests.factories import make_data, make_module, make_track

COUNT = 3


@pytest.fixture(scope="module")
def track_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("key_frames") / "track"
    make_track(folder, 120)
    return folder


@pytest.fixture(scope="module")
def data(track_folder: Path) -> TrackDataModule:
    data = make_data(track_folder, inputs={"references": COUNT})
    data.prepare_data()
    data.setup()
    return data


@pytest.fixture(scope="module")
def module(data: TrackDataModule) -> ReenactModule:
    """A network whose learned shift and masks differ from place to place."""
    torch.manual_seed(0)
    module = make_module(inputs={"references": COUNT}, generator={"head": "blend"})
    for weight in module.generator.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    module.generator.set_base(data.base())
    return module.eval()


def write_checkpoint(module: ReenactModule, path: Path, **others: Any) -> Path:
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams), **others}, path)
    return path


def test_a_checkpoint_brings_the_key_frames_of_its_target(module: ReenactModule, data: TrackDataModule, tmp_path: Path) -> None:
    file = write_checkpoint(module, tmp_path / "last.ckpt", TrackDataModule=data.state_dict())
    for target in (data.track, None):
        frames, own = load_generator(file, target=target).key_frames, data.key_frames()[0]
        assert frames is not None
        assert torch.equal(frames.numbers, own.numbers)
        assert torch.equal(frames.images, own.images)
        for field in fields(FaceParameters):
            assert torch.equal(getattr(frames.parameters, field.name), getattr(own.parameters, field.name))


def test_of_several_clips_those_of_the_target_are_taken(module: ReenactModule, track_folder: Path, tmp_path: Path) -> None:
    make_track(tmp_path / "other", 120, seed=5)
    both = make_data([str(track_folder), str(tmp_path / "other")], inputs={"references": COUNT})
    both.prepare_data()
    file = write_checkpoint(module, tmp_path / "last.ckpt", TrackDataModule=both.state_dict())
    for number, subject in enumerate(both.subjects):
        frames = load_generator(file, target=subject.track).key_frames
        assert frames is not None
        assert torch.equal(frames.images, both.key_frames()[number].images)


def test_synthesis_gives_the_frames_of_the_test_windows(module: ReenactModule, data: TrackDataModule, tmp_path: Path) -> None:
    """The cached maps of a training and those of synthesis lead to the same frames, up to the rounding of the cache."""
    file = write_checkpoint(module, tmp_path / "last.ckpt", TrackDataModule=data.state_dict())
    start, stop = data.split.test.start, data.split.test.stop
    parameters = data.track.parameters[start:stop]
    generated = torch.cat([chunk.frames for chunk in synthesise(load_generator(file), data.track, parameters)])
    with torch.no_grad():
        windows = [data.on_after_batch_transfer(batch, 0) for batch in data.test_dataloader()]
        expected = torch.cat([module(one.conditioning, one.base, one.references) for one in windows])
    levels = ((expected + 1) * 127.5).permute(0, 2, 3, 1)
    assert levels.std() > 10
    assert (generated - levels).abs().mean() < 0.5


def test_a_checkpoint_without_its_key_frames_is_refused(module: ReenactModule, tmp_path: Path) -> None:
    file = write_checkpoint(module, tmp_path / "last.ckpt")
    with pytest.raises(ReenactError, match=r"last\.ckpt holds no key frames"):
        load_generator(file)
