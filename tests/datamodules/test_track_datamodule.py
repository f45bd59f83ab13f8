"""Parts, batches, the mean frame, and what is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_reenact.errors import ReenactError
from lit_reenact.schema import Window
from lit_reenact.tracking.trackfile import load_track, save_track
from lit_reenact.video import FrameReader, iterate_frames
from tests.factories import make_data


@pytest.fixture
def own_folder(track_folder: Path, tmp_path: Path) -> Path:
    """A copy of the track that a test may change."""
    return Path(shutil.copytree(track_folder, tmp_path / "track"))


def test_batches_are_windows_of_bytes_and_become_signed_floats(track_folder: Path) -> None:
    data = make_data(track_folder)
    data.prepare_data()
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert isinstance(batch, Window)
    assert batch.conditioning.shape == (4, 27, 32, 32)
    assert batch.frame.shape == (4, 3, 32, 32)
    assert batch.conditioning.dtype == batch.frame.dtype == torch.uint8
    signed = data.on_after_batch_transfer(batch, 0)
    assert torch.allclose(signed.frame, batch.frame.double().mul(2 / 255).sub(1).float(), atol=1e-6)
    assert signed.conditioning.min() == -1
    assert torch.equal(signed.number, batch.number)


def test_parts_are_apart_by_a_second_and_the_held_out_ones_are_in_order(track_folder: Path) -> None:
    data = make_data(track_folder)
    data.prepare_data()
    data.setup()
    assert data.train_dataset.indices == list(range(60))
    assert torch.cat([batch.number for batch in data.val_dataloader()]).tolist() == list(range(65, 90))
    assert torch.cat([batch.number for batch in data.test_dataloader()]).tolist() == list(range(95, 120))
    first, second = (torch.cat([batch.number for batch in data.train_dataloader()]).tolist() for _ in range(2))
    assert first != second
    assert sorted(first) == list(range(60))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_read_what_the_main_process_reads(track_folder: Path, workers: int) -> None:
    """Their clip is opened in them, although this process has it open already."""
    data = make_data(track_folder)
    data.prepare_data()
    data.setup()
    expected = list(data.val_dataloader())
    assert data.frames.kept
    data.workers = workers
    data.frames.kept.clear()
    for here, there in zip(expected, data.val_dataloader(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))


def test_the_mean_frame_is_that_of_the_valid_training_frames(own_folder: Path) -> None:
    track = load_track(own_folder)
    track.valid[10:20] = False
    save_track(track, own_folder)
    frames = np.stack(list(iterate_frames(own_folder / "clip.mp4"))).astype(np.float64)[:60]
    expected = np.delete(frames, range(10, 20), axis=0).mean(0).transpose(2, 0, 1) / 127.5 - 1
    mean = make_data(own_folder, image_size=64).mean_frame()
    assert mean.shape == (3, 64, 64)
    assert np.abs(mean.numpy() - expected).max() < 1e-5


def test_the_renderer_draws_what_the_windows_show(track_folder: Path) -> None:
    data = make_data(track_folder)
    data.prepare_data()
    data.setup()
    item = data.val_dataset[5]
    drawn = data.renderer()(data.track.parameters[slice(70, 71)])[0]
    assert torch.equal(item.conditioning[-9:], drawn)


def test_a_missing_clip_is_refused(own_folder: Path) -> None:
    (own_folder / "clip.mp4").unlink()
    with pytest.raises(ReenactError, match=r"clip\.mp4.*missing"):
        make_data(own_folder).check()


def test_another_clip_is_refused(own_folder: Path) -> None:
    with (own_folder / "clip.mp4").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ReenactError, match="not the clip"):
        make_data(own_folder).check()


def test_a_window_longer_than_a_part_is_refused(track_folder: Path) -> None:
    with pytest.raises(ReenactError, match="window of 26"):
        make_data(track_folder, window=26).check()


def test_images_larger_than_the_clip_are_refused(track_folder: Path) -> None:
    with pytest.raises(ReenactError, match="image_size 128 is larger than the 64 pixels"):
        make_data(track_folder, image_size=128).check()


def test_an_actor_learned_from_held_out_frames_is_refused(own_folder: Path) -> None:
    track = load_track(own_folder)
    save_track(replace(track, info=replace(track.info, actor_frames=61)), own_folder)
    with pytest.raises(ReenactError, match="first 61 frames"):
        make_data(own_folder).check()


def test_a_part_without_a_whole_window_is_refused(own_folder: Path) -> None:
    track = load_track(own_folder)
    track.valid[65:90] = False
    save_track(track, own_folder)
    data = make_data(own_folder)
    data.prepare_data()
    with pytest.raises(ReenactError, match="validation part"):
        data.setup()


def test_a_checkpoint_of_another_clip_is_refused(track_folder: Path) -> None:
    data = make_data(track_folder)
    data.load_state_dict(data.state_dict())
    with pytest.raises(ReenactError, match=r"someone\.mp4"):
        data.load_state_dict({"source": "someone.mp4", "clip_sha256": "0"})


def test_frames_come_from_the_clip(track_folder: Path) -> None:
    data = make_data(track_folder, image_size=64)
    assert torch.equal(data.frames[33], FrameReader(track_folder / "clip.mp4").read([33])[0].permute(2, 0, 1))
