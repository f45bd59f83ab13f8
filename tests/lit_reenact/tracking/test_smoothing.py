"""The Whittaker smoother, and the runs of frames that it stays within."""

from __future__ import annotations

import torch

from lit_reenact.tracking.smoothing import Timing, fill, runs, smooth, whittaker


def dense_whittaker(values: torch.Tensor, weight: torch.Tensor, strength: float) -> torch.Tensor:
    frames = len(values)
    second = torch.zeros(frames - 2, frames, dtype=torch.float64)
    for t in range(frames - 2):
        second[t, t : t + 3] = torch.tensor([1.0, -2.0, 1.0], dtype=torch.float64)
    system = torch.diag(weight.double()) + strength * second.T @ second
    return torch.linalg.solve(system, weight.double()[:, None] * values.double())


def test_whittaker_against_a_dense_solve() -> None:
    generator = torch.Generator().manual_seed(0)
    for frames in (3, 4, 5, 40):
        values = torch.randn(frames, 3, generator=generator, dtype=torch.float64)
        weight = torch.rand(frames, generator=generator)
        weight[1] = 0
        for strength in (0.01, 1.0, 1e4):
            torch.testing.assert_close(whittaker(values, weight, strength), dense_whittaker(values, weight, strength))


def test_whittaker_keeps_straight_lines_and_short_series() -> None:
    line = torch.arange(10.0)[:, None] * 3 + 1
    torch.testing.assert_close(whittaker(line, torch.ones(10), 100.0), line)
    values = torch.randn(2, 1)
    assert torch.equal(whittaker(values, torch.ones(2), 1.0), values)


def test_runs() -> None:
    assert runs(torch.tensor([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(torch.zeros(3, dtype=torch.bool)) == []


def test_nothing_crosses_a_gap() -> None:
    values = torch.cat([torch.zeros(10, 1), torch.full((5, 1), 7.0), torch.ones(10, 1)])
    valid = torch.ones(25, dtype=torch.bool)
    valid[10:15] = False
    result = smooth(values, torch.ones(25), 10.0, valid, torch.zeros(25, dtype=torch.bool))
    torch.testing.assert_close(result, values)


def test_held_frames_share_one_value() -> None:
    values = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    held = torch.zeros(20, dtype=torch.bool)
    held[[3, 4, 11]] = True
    result = smooth(values, torch.ones(20), 0.0, torch.ones(20, dtype=torch.bool), held)
    torch.testing.assert_close(result[2], values[2:5].mean(0))
    assert torch.equal(result[2], result[4])
    assert torch.equal(result[10], result[11])
    torch.testing.assert_close(result[5:10], values[5:10])


def test_fill_is_linear_and_constant_at_the_ends() -> None:
    values = torch.tensor([[9.0], [1.0], [9.0], [3.0], [9.0]])
    known = torch.tensor([False, True, False, True, False])
    assert fill(values, known).flatten().tolist() == [1, 1, 2, 3, 3]


def test_strength_means_the_same_at_every_frame_rate() -> None:
    """A slow wave sampled at 30 and at 60 frames per second is flattened equally."""
    amplitude = []
    for fps in (30.0, 60.0):
        time = torch.arange(int(20 * fps)) / fps
        wave = torch.sin(2 * torch.pi * 2.0 * time)[:, None]
        yes = torch.ones(len(time), dtype=torch.bool)
        amplitude.append(float(Timing(yes, yes, ~yes, fps, len(yes)).smooth(wave, 20.0).std()))
    assert amplitude[0] < 0.5  # of 0.71
    assert abs(amplitude[0] - amplitude[1]) < 0.02


def test_later_frames_do_not_change_training_frames() -> None:
    values = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    seen = torch.ones(40, dtype=torch.bool)
    seen[18:25] = False  # a gap over the border
    timing = Timing(seen, torch.ones_like(seen), ~torch.ones_like(seen), 30.0, actor_frames=20)
    changed = torch.cat([values[:20], values[20:] * 5])
    before, after = timing.smooth(values, 3.0), timing.smooth(changed, 3.0)
    assert torch.equal(before[:20], after[:20])
    assert not torch.equal(before[20:], after[20:])


def timing_of(seen: torch.Tensor, actor_frames: int, cuts: tuple[int, ...]) -> Timing:
    return Timing(seen, torch.ones_like(seen), torch.zeros_like(seen), 30.0, actor_frames, cuts)


def test_nothing_crosses_a_cut() -> None:
    """Each shot is smoothed like a clip of its own, wherever the training frames end."""
    values = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)).cumsum(0)
    seen = torch.ones(40, dtype=torch.bool)
    seen[[10, 11, 12, 13, 27, 28]] = False  # gaps on both sides of the first cut and at the second
    for actor_frames in (6, 20, 40):
        whole = timing_of(seen, actor_frames, (12, 27)).smooth(values, 3.0)
        for start, stop in ((0, 12), (12, 27), (27, 40)):
            border = min(max(actor_frames - start, 0), stop - start)
            alone = timing_of(seen[start:stop], border, ()).smooth(values[start:stop], 3.0)
            torch.testing.assert_close(whole[start:stop], alone)


def test_a_shot_without_a_known_frame_gets_values_from_its_neighbours() -> None:
    values = torch.tensor([1.0, 1, 9, 9, 3, 3])[:, None]
    known = torch.tensor([True, True, False, False, True, True])
    filled = timing_of(known, 6, (2, 4)).fill(values, known)
    assert filled[[0, 1, 4, 5], 0].tolist() == [1, 1, 3, 3]
    assert bool(((filled[2:4] > 1) & (filled[2:4] < 3)).all())
