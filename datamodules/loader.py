"""A loader that can say where in which epoch it is, and go on there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from lit_reenact.core.schema import Runs
from lit_reenact.datamodules.sampler import RunSampler


class ResumableLoader(DataLoader[Runs]):
    """Counts the epochs of its ``RunSampler``, which is its ``batch_sampler``: each pass over it is the next one.

    Lightning keeps its state in checkpoints. What workers have prefetched does not count, only what was handed over; and of that
    only what was trained on, where ``trained`` tells.

    Attributes:
        trained: the batches of this pass that were trained on: an interrupted one is to come again.
    """

    batch_sampler: RunSampler
    trained: Callable[[], int] | None = None
    _given = 0  # of the present pass

    def __iter__(self) -> _BaseDataLoaderIter:
        sampler = self.batch_sampler
        if self._given:
            sampler.epoch, sampler.start, self._given = sampler.epoch + 1, 0, 0
        return self._counted(super().__iter__())  # type: ignore[return-value]

    def _counted(self, batches: Iterator[Runs]) -> Iterator[Runs]:
        for batch in batches:
            self._given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Which epoch it is, and how many of its batches are done: fewer than it has."""
        sampler = self.batch_sampler
        done = sampler.start + (self._given if self.trained is None else self.trained())
        return {"epoch": sampler.epoch, "batches": done} if done < len(sampler) else {"epoch": sampler.epoch + 1, "batches": 0}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on there with the next pass."""
        self.batch_sampler.epoch, self.batch_sampler.start, self._given = state["epoch"], state["batches"], 0
