"""Masks of a person: found in a photograph, grown and shrunk."""

from __future__ import annotations

import cv2
import numpy as np
import skimage.data
import torch

from lit_reenact.landmarks.person import PersonSegmenter, grow, main_regions, shrink


def test_growing_and_shrinking_equal_opencv() -> None:
    masks = torch.rand(2, 40, 50, generator=torch.Generator().manual_seed(0)) > 0.9
    square = np.ones((7, 7), np.uint8)
    for mask, wide, narrow in zip(masks, grow(masks, 3), shrink(~masks, 3), strict=True):
        assert np.array_equal(wide.numpy(), cv2.dilate(mask.numpy().astype(np.uint8), square) > 0)
        assert np.array_equal(narrow.numpy(), cv2.erode((~mask.numpy()).astype(np.uint8), square) > 0)


def test_a_person_is_found_without_holes() -> None:
    picture = torch.from_numpy(skimage.data.astronaut().copy())[None]
    (mask,) = PersonSegmenter()(picture)
    assert mask[100:200, 200:250].all()  # the face
    assert not mask[5:60, 130:150].any()  # the wall behind
    _, hierarchy = cv2.findContours(mask.numpy().astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    assert (hierarchy[0, :, 3] < 0).all()  # no outline within another


def test_only_the_largest_region_and_its_neighbours_count() -> None:
    person = torch.zeros(1, 30, 40, dtype=torch.bool)
    person[0, 5:20, 5:15] = True
    bun, bottle = torch.zeros_like(person), torch.zeros_like(person)
    bun[0, 1:4, 8:12] = True  # a row between it and the person
    bottle[0, 10:18, 25:30] = True
    everything = person | bun | bottle
    assert torch.equal(main_regions(everything), person)
    assert torch.equal(main_regions(everything, reach=1), person)
    assert torch.equal(main_regions(everything, reach=2), person | bun)
    assert torch.equal(main_regions(everything, reach=15), everything)
    assert not main_regions(torch.zeros_like(person), reach=2).any()
