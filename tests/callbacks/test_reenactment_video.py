"""Videos of a training: playable, tagged, with the promised pictures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_reenact.callbacks import BatchBudget, ExponentialMovingAverage, ReenactmentVideo
from lit_reenact.callbacks.reenactment_video import comparison_rows
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import ConditioningImage
from lit_reenact.provenance import is_ai_generated
from lit_reenact.provenance.verifying import read_signature
from lit_reenact.synthesis import ReenactmentSettings, conditioning_picture, write_reenactment
from lit_reenact.synthesis.pixel_origin import PAINTED_COLOUR
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video import iterate_frames, probe, read_tags
from tests.factories import make_data, make_module, make_track, make_trainer


def test_every_validation_writes_a_tagged_video_of_the_held_out_frames(track_folder: Path, tmp_path: Path) -> None:
    data = make_data(track_folder)
    trainer = make_trainer(tmp_path, ReenactmentVideo(max_frames=10), BatchBudget(4), val_check_interval=2)
    trainer.fit(make_module(), datamodule=data)
    videos = sorted((tmp_path / "videos").iterdir())
    assert [video.name for video in videos] == ["step-000002.mp4", "step-000004.mp4"]
    info = probe(videos[-1])
    assert (info.width, info.height, info.frame_count, info.fps) == (96, 32, 10, Fraction(5))
    assert is_ai_generated(read_tags(videos[-1]))
    signature = read_signature(videos[-1])
    assert signature is not None
    assert signature.intact
    shown = torch.stack([torch.from_numpy(frame) for frame in iterate_frames(videos[-1])])
    real = data.val_dataset.__getitems__(list(range(10))).frame.permute(0, 2, 3, 1)
    assert (shown[:, :, 64:].float() - real.float()).abs().mean() < 8  # H.264 of small noisy frames


def test_a_network_with_other_conditioning_images_has_a_video_too(track_folder: Path, tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, ReenactmentVideo(max_frames=3), BatchBudget(1))
    images = ("landmarks", "depth")
    trainer.fit(make_module(inputs={"conditioning": images}), datamodule=make_data(track_folder, inputs={"conditioning": images}))
    info = probe(tmp_path / "videos" / "step-000001.mp4")
    assert (info.width, info.frame_count) == (96, 3)


def test_a_blend_network_shows_the_origin_of_its_pixels(track_folder: Path, tmp_path: Path) -> None:
    """A network that paints everything is orange-red in the fourth column."""
    inputs = {"references": 2}
    data, module = make_data(track_folder, inputs=inputs), make_module(inputs=inputs, generator={"head": "blend"})
    last = module.generator.to_frame[-1]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([0.0] * 6 + [50.0])
    trainer = make_trainer(tmp_path, ReenactmentVideo(max_frames=6), BatchBudget(1))
    trainer.fit(module, datamodule=data)
    video = tmp_path / "videos" / "step-000001.mp4"
    info = probe(video)
    assert (info.width, info.frame_count) == (128, 6)
    shown = np.stack(list(iterate_frames(video)))[:, 4:-4, 100:-4]
    assert np.abs(shown.reshape(-1, 3).mean(0) - PAINTED_COLOUR).max() < 12  # H.264


def test_validations_are_skipped_and_plain_validation_writes_nothing(track_folder: Path, tmp_path: Path) -> None:
    data, module = make_data(track_folder), make_module()
    trainer = make_trainer(tmp_path, ReenactmentVideo(every_n_validations=2), BatchBudget(3), val_check_interval=1)
    trainer.fit(module, datamodule=data)
    assert [video.name for video in (tmp_path / "videos").iterdir()] == ["step-000002.mp4"]
    make_trainer(tmp_path / "other", ReenactmentVideo()).validate(module, datamodule=data, verbose=False)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_resumed_training_skips_the_same_validations(track_folder: Path, tmp_path: Path, stop: int) -> None:
    checkpoint = tmp_path / "a.ckpt"
    for budget in (stop, 4):
        callbacks = [ReenactmentVideo(every_n_validations=2, max_frames=2), BatchBudget(budget)]
        trainer = make_trainer(tmp_path, *callbacks, val_check_interval=1)
        resume = checkpoint if checkpoint.is_file() else None
        trainer.fit(make_module(), datamodule=make_data(track_folder), ckpt_path=resume, weights_only=True)
        trainer.save_checkpoint(checkpoint)
    assert [video.name for video in sorted((tmp_path / "videos").iterdir())] == ["step-000002.mp4", "step-000004.mp4"]


def test_comparison_rows_show_conditioning_output_and_target() -> None:
    conditioning = torch.full((1, 18, 2, 2), -1.0)
    conditioning[0, 9:12] = 0.0  # diffuse colour of the last frame
    conditioning[0, 15:18, 0, 0] = 1.0  # its eyes
    output, target = torch.full((1, 3, 2, 2), -1.0), torch.full((1, 3, 2, 2), 1.0)
    row = comparison_rows(conditioning, output, target, current=1)
    assert row.dtype == torch.uint8
    assert row[0, :, :, 0].tolist() == [[255, 128, 0, 0, 255, 255], [128, 128, 0, 0, 255, 255]]
    first = comparison_rows(conditioning, output, target, current=0)
    assert first[0, :, :, 0].tolist() == [[0, 0, 0, 0, 255, 255], [0, 0, 0, 0, 255, 255]]


@pytest.mark.parametrize(
    ("images", "shown"),
    [
        (("diffuse", "correspondence", "eyes"), [0, 2]),
        (("correspondence", "diffuse"), [1]),
        (("normals", "eyes", "depth"), [0, 1]),
        (("eyes",), [0]),
        (("depth", "landmarks"), [0]),
    ],
)
def test_a_picture_shows_the_face_and_the_eyes(images: tuple[ConditioningImage, ...], shown: list[int]) -> None:
    conditioning = torch.zeros(1, 3 * len(images), 1, len(images))
    for k in range(len(images)):
        conditioning[0, 3 * k : 3 * k + 3, 0, k] = 1.0
    picture = conditioning_picture(conditioning, images)
    assert picture.shape == (1, 1, len(images), 3)
    assert [k for k in range(len(images)) if picture[0, 0, k].all()] == shown


def test_another_actor_drives_a_second_video(track_folder: Path, tmp_path: Path) -> None:
    """The averaged weights draw it, and every frame equals what ``reenact`` generates with them."""
    driver = tmp_path / "driver"
    make_track(driver, frames=40, fps=Fraction(10), seed=5)
    data, module, ema = make_data(track_folder), make_module(), ExponentialMovingAverage(0.5)
    video = ReenactmentVideo(max_frames=12, driver=str(driver))
    make_trainer(tmp_path, ema, video, BatchBudget(2), val_check_interval=2).fit(module, datamodule=data)
    driven = tmp_path / "videos" / "step-000002-driven.mp4"
    info = probe(driven)
    assert (info.width, info.height, info.frame_count, info.fps) == (96, 32, 12, Fraction(10))
    assert is_ai_generated(read_tags(driven))

    assert ema.average is not None
    module.generator.load_state_dict(ema.average)
    source, target = TrackedClip.load(driver), TrackedClip.load(track_folder)
    settings = ReenactmentSettings(rate="source")
    written = write_reenactment(source, target, module.generator.eval(), tmp_path / "out.mp4", settings, progress=False)
    for shown, expected in zip(iterate_frames(driven), iterate_frames(written.side_by_side), strict=False):
        assert np.abs(shown.astype(float) - expected).mean() < 4  # two qualities of H.264


def test_a_driver_that_cannot_drive_is_refused(track_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match="no such track"):
        ReenactmentVideo(driver=str(tmp_path))
    make_track(tmp_path / "driver", frames=30)
    video = ReenactmentVideo(driver=str(tmp_path / "driver"))
    assert video.driver is not None
    other = replace(video.driver.track, info=replace(video.driver.track.info, face_model_hash="0"))
    video.driver = replace(video.driver, track=other)
    with pytest.raises(ReenactError, match="track both with the same one"):
        make_trainer(tmp_path, video, BatchBudget(1)).fit(make_module(), datamodule=make_data(track_folder))
