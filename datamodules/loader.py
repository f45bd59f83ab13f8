"""Data loader that saves its position in an epoch and resumes from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from lit_reenact.core.schema import Runs
from lit_reenact.datamodules.sampler import RunSampler


class ResumableLoader(DataLoader[Runs]):
    """Data loader whose ``batch_sampler`` is a ``RunSampler``; each pass over it is the sampler's next epoch.

    Lightning saves its state in checkpoints. The position counts the batches that were handed over, not those that workers have
    prefetched; with ``trained_batches`` it counts the batches that were trained on, so that an interrupted batch comes again.

    Attributes:
        trained_batches: function that returns how many batches of this pass were trained on; None counts those handed over.
    """

    batch_sampler: RunSampler
    trained_batches: Callable[[], int] | None = None
    _handed_over = 0  # batches of the present pass

    def __iter__(self) -> _BaseDataLoaderIter:
        sampler = self.batch_sampler
        if self._handed_over:
            sampler.epoch, sampler.start, self._handed_over = sampler.epoch + 1, 0, 0
        return self._count(super().__iter__())  # type: ignore[return-value]

    def _count(self, batches: Iterator[Runs]) -> Iterator[Runs]:
        for batch in batches:
            self._handed_over += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the number of its batches that are done, which is less than their total."""
        sampler = self.batch_sampler
        done = sampler.start + (self._handed_over if self.trained_batches is None else self.trained_batches())
        return {"epoch": sampler.epoch, "batches": done} if done < len(sampler) else {"epoch": sampler.epoch + 1, "batches": 0}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume from a saved position with the next pass."""
        self.batch_sampler.epoch, self.batch_sampler.start, self._handed_over = state["epoch"], state["batches"], 0
