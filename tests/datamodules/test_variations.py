"""Variations of the training part: their content, their share, and frames that match their parameters."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_euler
from lit_reenact.core.schema import FACE, Runs
from lit_reenact.datamodules import TrackDataModule
from lit_reenact.datamodules.loading import Rendering
from lit_reenact.datamodules.variations import Variations
from lit_reenact.edit import sliders_of
from lit_reenact.face import load_face_model
from tests.factories import make_data, make_module, make_trainer

TRAINED = 60
"""Training frames of the synthetic track."""


@pytest.fixture
def folder(track_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(track_folder, tmp_path / "track", ignore=shutil.ignore_patterns("*.npy")))


def varied(folder: Path, settings: dict[str, Any] | None = None, **others: Any) -> TrackDataModule:
    data = make_data(folder, inputs={"image_size": 64}, variations=Variations(**{"copies": 2, **(settings or {})}), **others)
    data.prepare_data()
    data.setup()
    return data


def batches(data: TrackDataModule, passes: int = 1) -> list[Runs]:
    loader = data.train_dataloader()
    return [batch for _ in range(passes) for batch in loader]


def test_edits_stay_within_their_settings_and_differ_from_copy_to_copy() -> None:
    settings = Variations(copies=1, turn=6, shift=9, nearer=3, gain=0.5, close=0.4, period=0.5)
    generator = torch.Generator().manual_seed(1)
    first, second = (settings.edit(300, Fraction(30), generator).values(300, Fraction(30)) for _ in range(2))
    table = sliders_of(load_face_model("builtin"))
    reach = {"head_yaw": 6, "head_pitch": 6, "head_roll": 6, "position_x": 9, "position_y": 9, "position_nearer": 3}
    assert set(first) == {*reach, "expression_gain", "close_left_eye", "close_right_eye"}
    for name, values in first.items():
        assert values.min() >= table[name].low
        assert values.max() <= table[name].high
        assert not torch.equal(values, second[name])
        assert (values[1:] - values[:-1]).abs().max() < 0.2 * (table[name].high - table[name].low)  # smooth in time
    for name, largest in reach.items():
        assert 0.5 * largest < first[name].abs().max() <= largest
    assert 1 / 1.5 - 1e-4 <= first["expression_gain"].min() < 0.85
    assert 1.2 < first["expression_gain"].max() <= 1.5 + 1e-4
    for side in ("left", "right"):
        assert (first[f"close_{side}_eye"] == 0).any()
        assert first[f"close_{side}_eye"].max() > 0.2


def test_held_out_parts_and_the_mean_frame_have_none(folder: Path) -> None:
    data, plain = varied(folder), make_data(folder, inputs={"image_size": 64})
    plain.prepare_data()
    plain.setup()
    assert torch.equal(data.base(), plain.base())
    for own, other in ((data.val_dataset, plain.val_dataset), (data.test_dataset, plain.test_dataset)):
        assert own.number.tolist() == other.number.tolist()
        assert torch.equal(own[3].frame, other[3].frame)
    assert len(plain.train_dataset) == TRAINED
    assert len(data.train_dataset) == 3 * TRAINED
    assert torch.equal(data.train_dataset[17].frame, plain.train_dataset[17].frame)
    for own, expected in zip(data.train_dataset[17].images, plain.train_dataset[17].images, strict=True):
        assert torch.equal(own, expected)


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("share", [0.25, 0.75])
def test_variations_have_their_share_of_the_windows(folder: Path, share: float, balance: bool) -> None:
    data = varied(folder, {"share": share}, balance=balance, loading={"run_length": 1})
    number = torch.cat([batch.number for batch in batches(data, passes=8)])
    assert (number >= TRAINED).float().mean() == pytest.approx(share, abs=0.05)
    assert {int(n) // TRAINED for n in number} == {0, 1, 2}


def test_a_window_never_mixes_variations(folder: Path) -> None:
    data = varied(folder)
    for position in (0, 1, TRAINED - 1, TRAINED, TRAINED + 1, 2 * TRAINED, 3 * TRAINED - 1):
        copy = position // TRAINED
        runs = data.train_dataset[position]
        first = max(copy * TRAINED, position - 2)
        expected = data.renderer.draw(parameters_of(data, torch.arange(first, position + 1)))
        assert runs.number.tolist() == [position]
        assert torch.equal(runs.images.conditioning, expected[:, :-1])
        assert torch.equal(runs.images.region, expected[:, -1])


def parameters_of(data: TrackDataModule, numbers: Tensor) -> Any:
    own = numbers < TRAINED
    assert own.all() or not own.any()
    return data.track.parameters[numbers] if own.all() else data.varied[0].parameters[numbers - TRAINED]


def test_a_varied_frame_shows_what_its_conditioning_shows(folder: Path) -> None:
    """The synthetic clip is its own diffuse rendering, so warped skin nearly equals the rendering of the edited parameters.

    But the light does not turn with a head, so none turns here.
    """
    data = varied(folder, {"turn": 0.0, "shift": 15.0, "gain": 0.5, "close": 0.0})
    numbers = torch.arange(TRAINED, 3 * TRAINED, 7)
    clip = data.varied[0]
    drawn = data.renderer.draw(clip.parameters[numbers - TRAINED]).float()
    shown = data.train_dataset.parts[0].frames.read(numbers).permute(0, 3, 1, 2).float()
    before = data.train_dataset.parts[0].frames.read(numbers % TRAINED).permute(0, 3, 1, 2).float()
    skin = (drawn[:, -1] == FACE)[:, None].expand(-1, 3, -1, -1)
    bent, unbent, of_another = (
        (images - drawn[:, :3]).abs()[skin].mean() for images in (shown, before, shown.roll(len(shown) // 2, 0))
    )
    assert bent < 0.6 * unbent
    assert bent < 0.6 * of_another
    border = torch.ones(64, 64, dtype=torch.bool)
    border[2:-2, 2:-2] = False
    change = (shown - before).abs().mean(1)
    assert change[:, border].mean() < 0.5 * change[:, ~border].mean()


def test_heads_turn_as_far_as_the_settings_allow(folder: Path) -> None:
    data = varied(folder, {"copies": 4, "turn": 10})
    clip = data.varied[0]
    before = data.track.parameters.rotation[:TRAINED].repeat(4, 1)
    turned = matrix_to_euler(axis_angle_to_matrix(clip.parameters.rotation)) - matrix_to_euler(axis_angle_to_matrix(before))
    assert turned.rad2deg().abs().max() <= 10.01
    assert turned.rad2deg().abs().amax(0).min() > 5


@pytest.mark.parametrize(("rendering", "workers"), [("cache", 2), ("worker", 0), ("device", 0)])
def test_variations_are_the_same_wherever_they_are_rendered(folder: Path, rendering: Rendering, workers: int) -> None:
    expected, data = varied(folder), varied(folder, loading={"rendering": rendering, "workers": workers})
    for one, other in zip(batches(expected), batches(data), strict=True):
        first, second = (data.on_after_batch_transfer(batch, 0) for batch in (one, other))
        assert torch.equal(first.number, second.number)
        assert torch.equal(first.frame, second.frame)
        assert torch.equal(first.region, second.region)
        assert torch.equal(first.conditioning, second.conditioning)


def test_variations_are_written_once_and_those_of_other_settings_stay(folder: Path) -> None:
    varied(folder)
    files = {path.name: path.stat().st_mtime_ns for path in folder.glob("varied-*.npy")}
    assert len(files) == 2
    varied(folder, {"share": 0.3})
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("varied-*.npy")} == files
    varied(folder, {"turn": 3})
    assert len(list(folder.glob("varied-*.npy"))) == 4


def test_training_runs_on_variations(folder: Path, tmp_path: Path) -> None:
    data = varied(folder)
    module = make_module(inputs={"image_size": 64})
    make_trainer(tmp_path, max_steps=5).fit(module, datamodule=data)
    assert module.batch_step == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"copies": -1}, "data.variations.copies is -1, but must be at least 0"),
        ({"turn": -2.0}, r"data.variations.turn is -2.0, but must be at least 0"),
        ({"share": 1.0}, "data.variations.share is 1.0, but must lie between 0 and 1"),
        ({"close": 1.5}, "data.variations.close is 1.5, but must lie from 0 to 1"),
        ({"period": 0.0}, "data.variations.period is 0.0, but must be more than 0 seconds"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ReenactError, match=message):
        Variations(**settings)
