"""The background behind a moving mask, on scenes whose background is known."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.tracking.background import ENOUGH, recover_background

SIZE = 64
SLOPE = (torch.arange(SIZE)[:, None] + 2 * torch.arange(SIZE)).float()[..., None].expand(-1, -1, 3)


def scene(frames: int, step: int = 1) -> tuple[Tensor, Tensor]:
    """A white square that moves over a slope: frames uint8 (N, S, S, 3) and masks bool (N, S, S)."""
    person = torch.zeros(frames, SIZE, SIZE, dtype=torch.bool)
    for number in range(frames):
        person[number, 20:50, 5 + step * number : 40 + step * number] = True
    return torch.where(person[..., None], torch.tensor(255.0), SLOPE).to(torch.uint8), person


def test_the_background_is_what_was_seen_of_it() -> None:
    """Pixels that the square uncovers at times are exact, the others follow their surroundings."""
    frames, person = scene(8)
    plate = recover_background(frames, person)
    torch.testing.assert_close(plate.confidence, (~person).float().mean(0))
    seen = ~person.all(0)
    assert 0 < (~seen).sum() < seen.sum()
    assert torch.equal(plate.image[seen], SLOPE[seen].to(torch.uint8))
    assert (plate.image.float() - SLOPE)[~seen].abs().max() < 40


def test_a_few_frames_are_enough_to_be_certain() -> None:
    frames, person = scene(20)
    confidence = recover_background(frames, person).confidence
    torch.testing.assert_close(confidence, ((~person).sum(0) / ENOUGH).clamp(max=1))


def test_a_lock_that_the_mask_misses_leaves_no_ghost() -> None:
    """Hair that swings beside the mask hides some pixels most of the time, so that their median is hair."""
    frames, person = scene(20, step=0)
    for number in range(20):
        swing = (0, 0, 0, 1, 3)[number % 5]
        frames[number, 25:45, 46 + 2 * swing : 49 + 2 * swing] = 0
    plate = recover_background(frames, person)
    assert (plate.confidence[25:45, 46:49] == 0).all()
    assert (plate.image[25:45, 46:49].float() - SLOPE[25:45, 46:49]).abs().mean() < 15
    elsewhere = torch.ones(SIZE, SIZE, dtype=torch.bool)
    elsewhere[20:50, 5:60] = False
    assert (plate.confidence[elsewhere] == 1).all()


def test_noise_and_flicker_are_no_hair() -> None:
    frames, person = scene(20)
    shift = torch.randint(-6, 7, (20, SIZE, SIZE, 1), generator=torch.Generator().manual_seed(0))
    noisy = (frames.int() + shift).clamp(0, 255).to(torch.uint8)
    noisy_plate, plate = recover_background(noisy, person), recover_background(frames, person)
    torch.testing.assert_close(noisy_plate.confidence, plate.confidence)
    always = ~person.any(0)
    assert (noisy_plate.image.float() - SLOPE)[always].abs().mean() < 2


def test_a_background_that_never_stands_still_is_not_trusted_and_not_black() -> None:
    frames = torch.randint(100, 256, (12, SIZE, SIZE, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    plate = recover_background(frames, scene(12)[1])
    assert (plate.confidence == 0).all()
    assert plate.image.min() > 100


def test_a_person_who_hides_everything_leaves_the_mean_colour() -> None:
    frames = torch.tensor([10, 200, 60]).to(torch.uint8).expand(3, SIZE, SIZE, 3)
    plate = recover_background(frames, torch.ones(3, SIZE, SIZE, dtype=torch.bool))
    assert (plate.confidence == 0).all()
    assert plate.image.unique(dim=0).flatten(0, 1).unique(dim=0).tolist() == [[10, 200, 60]]
