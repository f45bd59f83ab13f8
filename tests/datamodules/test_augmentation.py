"""Augmentation, compared with warps and colours computed in another way."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from kornia.geometry.transform import get_affine_matrix2d, warp_affine
from scipy import ndimage
from torch import Tensor

from lit_reenact.core.geometry import warp_by_flow
from lit_reenact.core.schema import EYES, FACE, MOUTH, References, Window
from lit_reenact.datamodules.affine_warp import warp_images
from lit_reenact.datamodules.augmentation import MOVES, Augmentation, run_starts
from tests.factories import make_data

SIZE, WINDOW, BATCH = 48, 3, 4


def make_window(seed: int = 0) -> Window:
    """Smooth images; conditioning, frame and base of a window show the same picture in their first three channels."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(BATCH, 9, 6, 6, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bicubic").clamp(0, 1) * 2 - 1
    region = torch.zeros(BATCH, SIZE, SIZE, dtype=torch.uint8)
    region[:, 16:32, 20:36] = 3
    return Window(
        conditioning=images.repeat(1, WINDOW, 1, 1),
        frame=images[:, :3].clone(),
        region=region,
        number=torch.arange(BATCH),
        actor=torch.zeros(BATCH, dtype=torch.int64),
        base=images[:, :3].clone(),
        flow=torch.empty(BATCH, 0, SIZE, SIZE),
    )


def drawn(seed: int) -> Tensor:
    return torch.rand(BATCH, 7, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_without_settings_nothing_changes() -> None:
    window = make_window()
    assert Augmentation()(window, torch.Generator()) is window


def test_the_same_seed_gives_the_same_windows() -> None:
    augmentation = Augmentation(rotation=5, shift=0.05, scale=0.1, exposure=0.1, saturation=0.2, hue=0.02)
    window = make_window()
    first, again, other = (augmentation(window, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    for name in ("conditioning", "frame", "base", "region"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))
    assert torch.equal(first.number, window.number)


def test_each_setting_draws_the_same_numbers_whatever_else_is_on() -> None:
    window = make_window()
    alone, together = (
        Augmentation(rotation=8, exposure=exposure)(window, torch.Generator().manual_seed(3)) for exposure in (0.0, 0.3)
    )
    assert torch.equal(alone.region, together.region)


def test_with_half_the_probability_some_windows_stay_unchanged() -> None:
    window = make_window()
    always, sometimes = (
        Augmentation(rotation=20, exposure=0.3, probability=probability)(make_window(), torch.Generator().manual_seed(1))
        for probability in (1.0, 0.5)
    )
    left = [torch.allclose(sometimes.conditioning[k], window.conditioning[k], atol=1e-4) for k in range(BATCH)]
    assert 0 < sum(left) < BATCH
    for item, unchanged in enumerate(left):
        expected = window if unchanged else always
        torch.testing.assert_close(sometimes.frame[item], expected.frame[item], atol=1e-3, rtol=0)
        torch.testing.assert_close(sometimes.conditioning[item], expected.conditioning[item], atol=1e-4, rtol=0)


@pytest.mark.parametrize("part", ["rotation", "shift", "scale"])
def test_moves_against_scipy(part: str) -> None:
    """The forward map p -> s R (p - c) + c + t in pixels, y down, is SciPy's inverse map of rows and columns."""
    extent = {"rotation": 10.0, "shift": 0.1, "scale": 0.2}
    window, draw = make_window(), drawn(5)
    moved = Augmentation(**{part: extent[part]})(window, torch.Generator().manual_seed(5))
    for item in range(BATCH):
        angle = np.deg2rad(float(draw[item, 0]) * (extent["rotation"] if part == "rotation" else 0))
        factor = (1 + (extent["scale"] if part == "scale" else 0)) ** float(draw[item, 1])
        step = (draw[item, 2:MOVES].numpy() * (extent["shift"] if part == "shift" else 0) * SIZE)[::-1]  # rows, columns
        turn = factor * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # clockwise
        inverse, centre = np.linalg.inv(turn), np.full(2, (SIZE - 1) / 2)
        offset = centre - inverse @ (centre + step)
        picture = window.frame[item, 0].numpy()
        expected = ndimage.affine_transform(picture, inverse, offset, order=1, mode="nearest")
        inside = ndimage.affine_transform(np.ones_like(picture), inverse, offset, order=1, mode="constant") > 0.999
        assert inside.mean() > 0.6
        for images in moved.conditioning[item, [0, 18]]:
            assert np.abs(images.numpy() - expected)[inside].max() < 1e-3
        for images in (moved.frame[item, 0], moved.base[item, 0]):  # bicubic, so sharper
            assert np.abs(images.numpy() - expected)[inside].max() < 0.05
        region = ndimage.affine_transform(window.region[item].float().numpy(), inverse, offset, order=0, mode="constant")
        assert (moved.region[item].numpy() == region).mean() > 0.99


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_conditioning_moves_as_in_kornia(layout: torch.memory_format) -> None:
    """The move is so large that a quarter of the result comes from outside."""
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand(3, 99, 40, 56, generator=generator) * 2 - 1).to(memory_format=layout)
    shift, factor = torch.randn(3, 2, generator=generator) * 9, (torch.rand(3, 1, generator=generator) + 0.6).expand(-1, 2)
    matrix = get_affine_matrix2d(shift, torch.full((3, 2), 20.0), factor, torch.randn(3, generator=generator) * 40)[:, :2]
    expected = warp_affine(images + 1, matrix, (40, 56), align_corners=True) - 1
    assert 0.2 < (expected == -1).float().mean() < 0.5
    torch.testing.assert_close(warp_images(images, matrix), expected, atol=1e-4, rtol=0)


def test_outside_the_image_conditioning_is_black_and_there_is_no_face() -> None:
    window = make_window()
    moved = Augmentation(shift=0.4)(window, torch.Generator().manual_seed(5))
    left_behind = drawn(5)[:, 2] * 0.4 * SIZE > 3  # these were shifted to the right
    assert left_behind.any()
    assert (moved.conditioning[left_behind][..., 0] == -1).all()
    assert (moved.frame[left_behind][..., 0] > -1).any()
    assert (moved.region[left_behind][..., 0] == 0).all()


def test_colours_change_equally_in_diffuse_and_frame_and_black_stays_black() -> None:
    window = make_window()
    images = window.conditioning.clone()
    images[:, :, :8] = -1
    frame = window.frame.clone()
    frame[:, :, :8] = -1
    window = window._replace(conditioning=images, frame=frame)
    changed = Augmentation(exposure=0.2, saturation=0.3, hue=0.05)(window, torch.Generator().manual_seed(0))
    split = changed.conditioning.unflatten(1, (WINDOW, 9))
    torch.testing.assert_close(split[:, 1, :3], changed.frame)
    assert (changed.frame[:, :, :8] == -1).all()
    assert not torch.allclose(changed.frame, window.frame, atol=0.05)
    assert torch.equal(split[:, :, 3:], window.conditioning.unflatten(1, (WINDOW, 9))[:, :, 3:])


def test_exposure_is_a_factor() -> None:
    window = make_window()
    changed = Augmentation(exposure=0.2)(window, torch.Generator().manual_seed(9))
    factor = 1.2 ** drawn(9)[:, 4].view(-1, 1, 1, 1)
    expected = ((window.frame + 1) / 2 * factor).clamp(0, 1) * 2 - 1
    torch.testing.assert_close(changed.frame, expected, atol=1e-5, rtol=0)


def test_the_data_module_augments_training_windows_only_seeded_by_batch_step(track_folder: Path) -> None:
    data = make_data(track_folder, augmentation=Augmentation(rotation=5, shift=0.1))
    data.prepare_data()
    data.setup()
    runs = data.train_dataset.__getitems__([5, 6])

    def window(batch_step: int, training: bool, rank: int = 0) -> Window:
        module = SimpleNamespace(batch_step=batch_step)
        data.trainer = SimpleNamespace(training=training, lightning_module=module, global_rank=rank, world_size=2)  # type: ignore[assignment]
        augmented = data.on_after_batch_transfer(runs, 0)
        return augmented._replace(conditioning=augmented.conditioning.clone())

    plain, first, again, later, other = (
        window(7, False),
        window(7, True),
        window(7, True),
        window(8, True),
        window(7, True, rank=1),
    )
    assert torch.equal(first.frame, again.frame)
    for changed in (first, later, other):
        assert (changed.frame - plain.frame).abs().mean() > 0.01
        assert (changed.conditioning - plain.conditioning).abs().mean() > 0.001
    assert not torch.equal(first.frame, later.frame)
    assert not torch.equal(first.frame, other.frame)


def test_diffuse_images_are_recoloured_at_any_position() -> None:
    augmentation, window = Augmentation(exposure=0.2, saturation=0.3, hue=0.05), make_window()
    usual = augmentation(window, torch.Generator().manual_seed(0))
    images = window.conditioning.unflatten(1, (WINDOW, 3, 3))
    moved = window._replace(conditioning=images[:, :, [2, 0]].flatten(1, 3))  # eyes, diffuse
    changed = augmentation(moved, torch.Generator().manual_seed(0), ("eyes", "diffuse"))
    expected = usual.conditioning.unflatten(1, (WINDOW, 3, 3))[:, :, [2, 0]].flatten(1, 3)
    assert torch.equal(changed.conditioning, expected)
    assert torch.equal(changed.frame, usual.frame)
    without = window._replace(conditioning=images[:, :, 1:].flatten(1, 3))
    changed = augmentation(without, torch.Generator().manual_seed(0), ("correspondence", "eyes"))
    assert torch.equal(changed.conditioning, without.conditioning)
    assert torch.equal(changed.base, usual.base)


def test_hiding_marks_eyes_and_mouths_in_all_references() -> None:
    """Each of the two in its own share of the windows, and nothing beyond their regions."""
    region = torch.zeros(400, 4, 4, dtype=torch.uint8)
    region[:, 0], region[:, 1], region[:, 2] = FACE, EYES, MOUTH
    references = References(*[torch.zeros(0)] * 3, torch.zeros(400, 8, 4, 4), torch.ones(400, 2))
    window = make_window()._replace(frame=torch.zeros(400, 3, 4, 4), region=region, references=references)
    hidden = Augmentation(hiding=0.25)(window, torch.Generator().manual_seed(0)).references
    assert hidden is not None
    unseen = hidden.validity.view(400, 2, 4, 4, 4)
    assert not unseen[:, :, :3].any()
    assert not unseen[:, :, 3, [0, 3]].any()
    assert not references.validity.any()
    for row in (1, 2):
        marks = unseen[:, :, 3, row]
        assert torch.equal(marks.amin((1, 2)), marks.amax((1, 2)))
        assert 0.18 < marks[:, 0, 0].mean() < 0.32


def followed(flow: Tensor) -> Window:
    """Windows of two frames that follow each other by ``flow`` (2, H, W), of smooth pictures; then two of another run."""
    generator = torch.Generator().manual_seed(5)
    coarse = torch.rand(2, 3, 7, 7, generator=generator)
    before = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bicubic").clamp(0, 1) * 2 - 1
    now = warp_by_flow(before, flow.expand(2, -1, -1, -1))
    frames = torch.stack([before[0], now[0], before[1], now[1]])
    none = torch.full_like(flow, torch.nan)
    return make_window()._replace(frame=frames, base=frames.clone(), flow=torch.stack([none, flow, none, flow]))


@pytest.mark.parametrize(
    "change", [{"rotation": 25.0}, {"scale": 0.3}, {"shift": 0.1}, {"rotation": 20.0, "scale": 0.2, "shift": 0.1}]
)
def test_flow_leads_from_a_moved_frame_to_the_moved_frame_before_it(change: dict[str, float]) -> None:
    flow = torch.tensor([3.0, -2.0])[:, None, None].expand(2, SIZE, SIZE)
    moved = Augmentation(**change)(followed(flow), torch.Generator().manual_seed(2))
    follows = moved.flow.isfinite().all(1)
    assert follows.flatten(1).any(1).tolist() == [False, True, False, True]
    for number in (1, 3):
        inner = torch.zeros(SIZE, SIZE, dtype=torch.bool)
        inner[10:-10, 10:-10] = True
        inner &= follows[number]
        assert inner.sum() > 0.5 * (SIZE - 20) ** 2
        before = warp_by_flow(moved.frame[number - 1 : number], moved.flow[number : number + 1].nan_to_num())[0]
        error = (before - moved.frame[number]).abs().mean(0)[inner].mean()
        unmoved = (moved.frame[number - 1] - moved.frame[number]).abs().mean(0)[inner].mean()
        assert error < 0.1 * unmoved
    still = Augmentation(**change)(followed(flow * 0), torch.Generator().manual_seed(2))
    torch.testing.assert_close(still.frame[0], still.frame[1], rtol=0, atol=1e-3)  # one change for a run


def test_all_that_is_drawn_is_one_for_a_run() -> None:
    flow = torch.zeros(2, SIZE, SIZE)
    references = References(*[torch.zeros(0)] * 2, torch.zeros(4, 4, SIZE, SIZE), torch.zeros(4, 8, SIZE, SIZE), torch.ones(4, 2))
    draws = []
    for seed in range(20):
        window = followed(flow)._replace(references=references)
        changed = Augmentation(omission=0.5, hiding=0.5, exposure=0.3)(window, torch.Generator().manual_seed(seed)).references
        assert changed is not None
        present, hidden = changed.present, changed.validity.amax((1, 2, 3))
        assert torch.equal(present[[0, 2]], present[[1, 3]])
        assert torch.equal(hidden[[0, 2]], hidden[[1, 3]])
        draws.append(bool((present[0] != present[2]).any() or hidden[0] != hidden[2]))
    assert any(draws)


def test_runs_begin_where_no_flow_leads_on() -> None:
    flow = torch.zeros(6, 2, 3, 3)
    flow[[0, 1, 4]] = torch.nan
    flow[2, :, 0] = torch.nan  # pixels without a place in the frame before
    assert run_starts(flow).tolist() == [0, 1, 1, 1, 4, 4]
