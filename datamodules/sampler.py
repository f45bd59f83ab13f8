"""Batches of contiguous runs of windows, so that each conditioning image is read or rendered once for a whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

RUNS_IN_A_BATCH = 4
"""Smallest number of runs in a batch, unless ``run_length`` is set: neighbouring windows look much alike."""


class RunSampler(Sampler[list[int]]):
    """Sampler of training batches, which depend on seed and epoch alone.

    An epoch goes through every window once, except for an incomplete last batch (unless it is the only one). The borders of the
    runs shift from epoch to epoch. With weights, runs are drawn instead, in proportion to the mean weight of their windows, with
    equally many windows of each actor.

    All processes compute the same global batches; each takes its own part of every one.

    Args:
        stretches: windows that follow each other in a clip, as ranges of their positions.
        batch_size: number of windows in a global batch.
        run_length: number of windows in a run; 1 samples each on its own, None puts ``RUNS_IN_A_BATCH`` runs into a batch.
        seed: seed of the random order.
        rank: number of this process.
        ranks: number of processes.
        weights: (W,) relative frequency of each window.
        actor: int64 (W,) actor of each window; needed with weights.

    Example:
        >>> sampler = RunSampler([range(0, 100)], batch_size=8, seed=0)
        >>> first_batch = next(iter(sampler))
    """

    def __init__(
        self,
        stretches: Sequence[range],
        batch_size: int,
        run_length: int | None = None,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        weights: Tensor | None = None,
        actor: Tensor | None = None,
    ) -> None:
        self.stretches = stretches
        self.batch_size = batch_size
        self.run_length = run_length or max(1, batch_size // RUNS_IN_A_BATCH)
        self.seed = seed
        self.rank = rank
        self.ranks = ranks
        self.weights = weights
        self.actor = actor
        self.epoch = 0
        self.start = 0  # batches of the epoch to skip

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return max(1, sum(map(len, self.stretches)) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.global_batches(self.epoch)[self.start :]:
            yield batch[len(batch) * self.rank // self.ranks : len(batch) * (self.rank + 1) // self.ranks]

    def global_batches(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch, over all processes, as positions of windows."""
        generator = make_generator(self.seed, epoch)
        runs = self._runs(generator)
        if self.weights is not None:
            runs = self._draw(runs, generator)
        order = torch.randperm(len(runs), generator=generator).tolist()
        windows = [window for run in order for window in runs[run]]
        return [windows[k * self.batch_size : (k + 1) * self.batch_size] for k in range(len(self))]

    def _runs(self, generator: torch.Generator) -> list[range]:
        """Divide all windows into runs, with the first border of each stretch at random."""
        runs, length = [], self.run_length
        for stretch in self.stretches:
            offset = int(torch.randint(length, (), generator=generator))
            borders = range(stretch.start - offset, stretch.stop, length)
            runs += [range(max(start, stretch.start), min(start + length, stretch.stop)) for start in borders]
        return runs

    def _draw(self, runs: list[range], generator: torch.Generator) -> list[range]:
        """Draw runs by their weights, with the same number of windows for each actor."""
        assert self.weights is not None
        assert self.actor is not None
        actors = sorted(set(self.actor.tolist()))
        share = -(-sum(map(len, runs)) // len(actors))
        chosen = []
        for actor in actors:
            own = [run for run in runs if self.actor[run.start] == actor]
            weights = torch.stack([self.weights[run.start : run.stop].mean() for run in own])
            left = share
            for index in torch.multinomial(weights, share, replacement=True, generator=generator).tolist():
                chosen.append(own[index][:left])
                left -= len(chosen[-1])
                if not left:
                    break
        return chosen


def training_seed() -> int:
    """Return the seed that was passed to Lightning's ``seed_everything``; 0 without one."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))


def make_generator(*numbers: int) -> torch.Generator:
    """Return a random generator seeded by several numbers, mixed because torch's CPU seed has only 32 bits."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


def held_out_batches(windows: int, batch_size: int, rank: int = 0, ranks: int = 1) -> list[list[int]]:
    """Return one process's validation or test batches, in the order of the clip; all processes have equally many.

    Each window is in one batch of one process, so that means over all of them equal those of a single process.

    Args:
        windows: number of windows; at least ``ranks``.
        batch_size: windows in a batch; some batches have one more.
        rank: number of this process.
        ranks: number of processes.
    """
    batches = -(-(windows // ranks) // batch_size)
    start, stop = windows * rank // ranks, windows * (rank + 1) // ranks
    borders = [start + (stop - start) * k // batches for k in range(batches + 1)]
    return [list(range(borders[k], borders[k + 1])) for k in range(batches)]
