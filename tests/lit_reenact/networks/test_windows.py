"""Frames of windows, and stacking on a CPU against indexing."""

from __future__ import annotations

import gc

import pytest
import torch

from lit_reenact.networks.windows import WindowMemory, WindowShape, stack_windows, to_signed


@pytest.mark.parametrize(
    ("shape", "offsets"),
    [
        (WindowShape(3), [-2, -1, 0]),
        (WindowShape(3, "causal", 2), [-4, -2, 0]),
        (WindowShape(3, "centred"), [-1, 0, 1]),
        (WindowShape(4, "centred"), [-2, -1, 0, 1]),
        (WindowShape(5, "centred", 3), [-6, -3, 0, 3, 6]),
        (WindowShape(1, "centred", 3), [0]),
    ],
)
def test_frames_about_the_current_one(shape: WindowShape, offsets: list[int]) -> None:
    assert shape.frames(torch.tensor([50, 80]), 0, 100).tolist() == [[n + offset for offset in offsets] for n in (50, 80)]
    assert offsets[shape.current] == 0
    assert (shape.before, shape.after) == (-offsets[0], offsets[-1])
    assert shape.span == offsets[-1] - offsets[0] + 1


def test_the_edges_of_the_shot_are_repeated() -> None:
    assert WindowShape(4).frames(torch.tensor([10, 11, 20]), 10, 20).tolist() == [[10] * 4, [10, 10, 10, 11], [17, 18, 19, 20]]
    centred = WindowShape(3, "centred", 2)
    assert centred.frames(torch.tensor([10, 19, 30]), torch.tensor([10, 10, 30]), torch.tensor([20, 20, 30])).tolist() == [
        [10, 10, 12],
        [17, 19, 20],
        [30, 30, 30],
    ]


@pytest.mark.parametrize("settings", [(0,), (3, "causal", 0), (3, "middle")])
def test_impossible_shapes_are_refused(settings: tuple[int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        WindowShape(*settings)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_stacking_equals_indexing(layout: torch.memory_format) -> None:
    """Rows side by side, with gaps, repeated, descending; more pixels than one block, and a last block that is not full."""
    images = torch.randint(256, (9, 10, 37, 31), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = images.contiguous(memory_format=layout)
    shown = torch.tensor([[2, 3, 4], [0, 0, 1], [1, 4, 7], [8, 8, 8], [5, 3, 1], [0, 1, 8]])
    images = images[:, :9]  # part of what lies together in memory
    windows = stack_windows(images, shown, WindowMemory())
    assert torch.equal(windows, to_signed(images[shown].flatten(1, 2)))
    assert windows.is_contiguous(memory_format=torch.channels_last)
    assert windows.shape == (6, 27, 37, 31)
    single = stack_windows(images, shown[:, :1], WindowMemory())
    assert torch.equal(single, windows[:, :9])


@pytest.mark.gpu
def test_stacking_on_a_gpu_equals_that_on_a_cpu() -> None:
    images = torch.randint(256, (9, 10, 32, 32), dtype=torch.uint8)
    shown = torch.tensor([[2, 3, 4], [0, 0, 1]])
    there = stack_windows(images.cuda(), shown.cuda(), WindowMemory())
    assert there.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(there.cpu(), stack_windows(images, shown, WindowMemory()), atol=1e-6)


def test_memory_is_used_again_once_nobody_holds_it() -> None:
    memory = WindowMemory()
    first = memory(2, 3)
    address = first.data_ptr()
    view = first.view(3, 2)[1:]
    del first
    second = memory(2, 3)
    assert second.data_ptr() != address  # the view still holds the first
    second.fill_(1)
    weight = torch.ones((), requires_grad=True)
    product = second * weight  # as does a graph, the second
    address = second.data_ptr()
    del second, view
    third = memory(2, 3)
    assert third.data_ptr() != address
    product.sum().backward()
    assert weight.grad == 6
    address = third.data_ptr()
    del third, product
    gc.collect()
    assert memory(2, 3).data_ptr() == address
    assert memory(3, 3).shape == (3, 3)
