"""Batches of contiguous runs of windows: each conditioning image is read, or drawn, once for all windows of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

RUNS_IN_A_BATCH = 4
"""At least so many, unless a longer ``run_length`` is asked for: neighbouring windows look much alike."""


class RunSampler(Sampler[list[int]]):
    """Training batches, decided by seed and epoch alone.

    An epoch goes through every window once, but for an incomplete last batch (unless that is the only one). The borders of the
    runs shift from epoch to epoch. With weights, runs are drawn instead, by the mean weight of their windows, and as many windows
    of each actor.

    All processes make the same global batches; each takes its share of every one.

    Args:
        stretches: windows that follow each other in a clip, as ranges of their positions.
        batch_size: of the global batches, in windows.
        run_length: windows in a run; 1 samples each on its own. None: ``RUNS_IN_A_BATCH`` in a global batch.
        seed: of the order.
        rank: number of this process.
        ranks: how many there are.
        weights: (W,) how often each window is wanted.
        actor: int64 (W,) of each window; needed with weights.
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
        self.start = 0  # batches of the epoch that are left out

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return max(1, sum(map(len, self.stretches)) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.global_batches(self.epoch)[self.start :]:
            yield batch[len(batch) * self.rank // self.ranks : len(batch) * (self.rank + 1) // self.ranks]

    def global_batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch over all processes."""
        generator = seeded(self.seed, epoch)
        runs = self._runs(generator)
        if self.weights is not None:
            runs = self._drawn(runs, generator)
        order = torch.randperm(len(runs), generator=generator).tolist()
        windows = [window for run in order for window in runs[run]]
        return [windows[k * self.batch_size : (k + 1) * self.batch_size] for k in range(len(self))]

    def _runs(self, generator: torch.Generator) -> list[range]:
        """All windows, cut into runs at borders that begin anywhere."""
        runs, length = [], self.run_length
        for stretch in self.stretches:
            offset = int(torch.randint(length, (), generator=generator))
            borders = range(stretch.start - offset, stretch.stop, length)
            runs += [range(max(start, stretch.start), min(start + length, stretch.stop)) for start in borders]
        return runs

    def _drawn(self, runs: list[range], generator: torch.Generator) -> list[range]:
        """Runs drawn with their weights, the same number of windows for each actor."""
        assert self.weights is not None
        assert self.actor is not None
        actors = sorted(set(self.actor.tolist()))
        share = -(-sum(map(len, runs)) // len(actors))
        drawn = []
        for actor in actors:
            own = [run for run in runs if self.actor[run.start] == actor]
            weights = torch.stack([self.weights[run.start : run.stop].mean() for run in own])
            left = share
            for index in torch.multinomial(weights, share, replacement=True, generator=generator).tolist():
                drawn.append(own[index][:left])
                left -= len(drawn[-1])
                if not left:
                    break
        return drawn


def training_seed() -> int:
    """The seed that Lightning's ``seed_everything`` was given; 0 without."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))


def seeded(*numbers: int) -> torch.Generator:
    """A generator that these numbers decide; torch's own seed on the CPU has but 32 bits."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


def held_out_batches(windows: int, batch_size: int, rank: int = 0, ranks: int = 1) -> list[list[int]]:
    """Validation or test batches in the order of the clip: a part for each process, which all get the same number of batches.

    Each window is in one batch of one process, so that means over them are those of a single process.

    Args:
        windows: how many there are; at least ``ranks``.
        batch_size: windows in a batch, or one more.
        rank: number of this process.
        ranks: how many there are.
    """
    batches = -(-(windows // ranks) // batch_size)
    start, stop = windows * rank // ranks, windows * (rank + 1) // ranks
    borders = [start + (stop - start) * k // batches for k in range(batches + 1)]
    return [list(range(borders[k], borders[k + 1])) for k in range(batches)]
