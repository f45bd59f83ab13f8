"""Reference frames of training and held-out windows: which are shown, where they come from, and what moves them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import interpolate

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import References, Window
from lit_reenact.datamodules import TrackDataModule
from lit_reenact.datamodules.augmentation import Augmentation
from lit_reenact.datamodules.variations import Variations
from lit_reenact.networks.references import sample_references
from lit_reenact.synthesis.generated_frames import target_references
from lit_reenact.tracking.trackfile import load_track, save_track
from lit_reenact.video import iterate_frames
from tests.factories import make_data, make_module, make_track, make_trainer

COUNT = 3
BLEND: dict[str, Any] = {"inputs": {"references": COUNT}, "generator": {"head": "blend", "dropout": 0.0}}
TRAINED = 60
"""Training frames of the synthetic track."""


@pytest.fixture
def folder(track_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(track_folder, tmp_path / "track", ignore=shutil.ignore_patterns("*.npy")))


def prepared(folder: Path | list[str], **settings: Any) -> TrackDataModule:
    data = make_data(folder, inputs={"references": COUNT, **settings.pop("inputs", {})}, **settings)
    data.prepare_data()
    data.setup()
    return data


def all_windows(data: TrackDataModule) -> list[Window]:
    return [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]


def references_of(window: Window) -> References:
    assert window.references is not None
    return window.references


def test_key_frames_come_from_the_training_part_and_are_the_clips_own(folder: Path) -> None:
    data = prepared(folder)
    (frames,) = data.key_frames()
    assert len(set(frames.numbers.tolist())) == COUNT
    assert frames.numbers.max() < TRAINED
    decoded = list(iterate_frames(folder / "clip.mp4"))
    for number, image in zip(frames.numbers.tolist(), frames.images, strict=True):
        assert torch.equal(image.permute(1, 2, 0), torch.from_numpy(decoded[number]))
    assert torch.equal(frames.parameters.rotation, data.track.parameters.rotation[frames.numbers])


def test_a_training_window_is_not_shown_key_frames_near_its_own_frame(folder: Path) -> None:
    data = prepared(folder, loading={"reference_gap": 0.2})
    (key_frames,) = data.key_frames()
    gap = round(0.2 * float(Fraction(data.track.info.fps)))
    for window in all_windows(data):
        distance = (window.number[:, None] - key_frames.numbers).abs()
        assert torch.equal(references_of(window).present, (distance > gap).float())


def test_a_marker_in_a_frame_never_reaches_its_own_references(folder: Path, tmp_path: Path) -> None:
    """The key frames of two clips differ in one frame: only windows beyond the gap see the difference."""
    data = prepared(folder)
    (frames,) = data.key_frames()
    for batch in data.train_dataloader():
        clean = sample_references(references_of(data.on_after_batch_transfer(batch, 0)))
        data._key_images = None
        marked = frames.images.clone()
        marked[1] = 255 - marked[1]
        data.references[0].__dict__["key_frames"] = replace(frames, images=marked)
        changed = sample_references(references_of(data.on_after_batch_transfer(batch, 0)))
        data.references[0].__dict__["key_frames"], data._key_images = frames, None
        seen = (clean != changed).flatten(1).any(1)
        assert torch.equal(seen, (batch.number - frames.numbers[1]).abs() > data.references[0].gap)


def test_held_out_windows_see_all_key_frames(folder: Path) -> None:
    data = prepared(folder)
    for loader in (data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            assert (references_of(data.on_after_batch_transfer(batch, 0)).present == 1).all()


def test_maps_are_those_of_synthesis_whether_cached_or_computed(folder: Path) -> None:
    """Training and synthesis must agree on where a pixel comes from."""
    module = make_module(**BLEND)
    expected: References | None = None
    for rendering in ("cache", "worker"):
        data = prepared(folder, loading={"rendering": rendering})
        batch = data.test_dataset.__getitems__([0, 1, 2])
        references = references_of(data.on_after_batch_transfer(batch, 0))
        module.generator.key_frames = data.key_frames()[0]
        place = target_references(data.track, module.generator)
        assert place is not None
        expected = place(data.track.parameters[batch.number])
        assert torch.allclose(references.grid, expected.grid, atol=1e-3)  # stored with half precision
        assert torch.allclose(references.validity, expected.validity, atol=2e-3)
        assert torch.equal(references.images, expected.images)


def test_a_key_frame_at_its_own_parameters_is_itself(folder: Path) -> None:
    data = prepared(folder)
    (frames,) = data.key_frames()
    position = int(frames.numbers[0])
    assert data.train_dataset.number[position] == position
    references = references_of(data.on_after_batch_transfer(data.train_dataset[position], 0))
    shown = sample_references(references._replace(present=torch.ones(1, COUNT)))[0, 0]
    own = interpolate(frames.images[:1].float() / 127.5 - 1, size=shown.shape[-2:], mode="area")[0]
    assert (shown - own).abs().mean() < 0.01


def test_augmentation_moves_references_as_it_moves_frames(folder: Path) -> None:
    """Moving the places in a key frame is moving its picture, but for the blur of the second."""
    window = prepared(folder).on_after_batch_transfer(prepared(folder).train_dataset.__getitems__([3, 30, 50]), 0)
    change = Augmentation(rotation=10.0, shift=0.1, scale=0.1)
    still = sample_references(references_of(window))
    moved = sample_references(references_of(change(window, torch.Generator().manual_seed(3))))
    for k in range(COUNT):
        picture = window._replace(frame=still[:, k])
        expected = change(picture, torch.Generator().manual_seed(3)).frame
        inner = (..., slice(4, -4), slice(4, -4))
        shown = references_of(window).present[:, k].bool()
        error = (moved[:, k] - expected)[shown][inner].abs().mean()
        assert error < 0.25 * (still[:, k] - expected)[shown][inner].abs().mean()


def test_references_are_left_out_at_random_by_seed_and_step(folder: Path) -> None:
    data = prepared(folder, loading={"reference_gap": 0.0})
    window = data.on_after_batch_transfer(data.train_dataset.__getitems__(list(range(TRAINED))), 0)
    change = Augmentation(omission=0.3)
    first, again, other = (references_of(change(window, torch.Generator().manual_seed(seed))).present for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0.55 < first.mean() < 0.85


def test_a_variation_is_as_near_to_a_key_frame_as_its_own_frame(folder: Path) -> None:
    data = prepared(folder, variations=Variations(copies=2), inputs={"image_size": 64})
    (frames,) = data.key_frames()
    gap = data.references[0].gap
    numbers = torch.arange(3 * TRAINED)
    batch = data.train_dataset.__getitems__(numbers.tolist())
    expected = (batch.number[:, None] % TRAINED - frames.numbers).abs() <= gap
    assert torch.equal(batch.near, expected)
    warp, parameters = data.references[0]._warp, data.varied[0].parameters
    assert torch.allclose(batch.maps[TRAINED:, :, :2].float(), warp(parameters).flow, atol=1e-3)


def test_each_actor_has_key_frames_of_its_own(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_track(other, 120, seed=5)
    data = prepared([str(folder), str(other)], balance=True)
    assert len(data.key_frames()) == 2
    window = next(window for window in all_windows(data) if len(set(window.actor.tolist())) == 2)
    sampled = sample_references(references_of(window))
    for actor, track in enumerate((folder, other)):
        own = window.actor == actor
        alone = prepared(track)
        references = references_of(
            alone.on_after_batch_transfer(alone.train_dataset.__getitems__(window.number[own].tolist()), 0)
        )
        assert torch.allclose(sampled[own], sample_references(references), atol=1e-6)


def test_a_checkpoint_with_other_key_frames_is_refused(folder: Path) -> None:
    state = prepared(folder).state_dict()
    prepared(folder).load_state_dict(state)
    track = load_track(folder)
    save_track(replace(track, parameters=track.parameters.replace(translation=track.parameters.translation + 1.0)), folder)
    with pytest.raises(ReenactError, match="trained with other key frames"):
        prepared(folder).load_state_dict(state)


def test_more_key_frames_than_differing_training_frames_are_refused(folder: Path) -> None:
    with pytest.raises(ReenactError, match=r"key frames are wanted, but only"):
        prepared(folder, inputs={"references": 61})


def test_a_resumed_training_ends_as_one_without_a_break(folder: Path, tmp_path: Path) -> None:
    """References that are left out at random are drawn again as they were."""
    settings = {"augmentation": Augmentation(omission=0.4, shift=0.05), "loading": {"reference_gap": 0.2}}

    def train(run: str, batches: int, checkpoint: Path | None) -> Path:
        torch.manual_seed(0)
        data, module = prepared(folder, **settings), make_module(**BLEND)
        module.base, module.key_frames = data.base, data.key_frames
        trainer = make_trainer(tmp_path / run, max_steps=batches)
        trainer.fit(module, data, ckpt_path=checkpoint)
        path = tmp_path / run / f"{batches}.ckpt"
        trainer.save_checkpoint(path)
        return path

    whole = train("whole", 8, None)
    resumed = train("parts", 8, train("parts", 3, None))
    weights, others = (torch.load(path, weights_only=True)["state_dict"] for path in (whole, resumed))
    assert all(torch.equal(weights[name], others[name]) for name in weights)
