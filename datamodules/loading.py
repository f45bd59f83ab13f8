"""Settings of how the batches of a training are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lit_reenact.core.errors import ReenactError
from lit_reenact.datamodules.sampler import RUNS_IN_A_BATCH

Rendering = Literal["cache", "worker", "device"]
"""Place where conditioning images are rendered."""


@dataclass(frozen=True)
class LoadingSettings:
    """Way from the track's folder to the batches of a training.

    Attributes:
        workers: number of processes that load batches; 0 loads in the training process.
        run_length: number of windows that follow each other in a batch and so share conditioning images; 1 samples each window
            by itself. None: so many that a batch of all devices holds four such runs.
        rendering: place where conditioning images are rendered: once into a file beside the track (``cache``), for every batch in
            the process that loads it (``worker``), or on the training device (``device``). On a CPU the first takes half
            the time of the others (RESULTS.md, "Cost of data").
        frame_cache_gib: disk space in GiB that decoded frames may take beside the tracks; frames that find no room there are
            decoded for every batch.
        reference_gap: seconds to either side of a training sample's own frame in which it is shown no key frame. A network that
            is shown its own frame learns to copy it, and fails on every other.
        flow: whether training batches hold the optical flow between frames that follow each other, which the temporal loss needs.
    """

    workers: int = 2
    run_length: int | None = None
    rendering: Rendering = "cache"
    frame_cache_gib: float = 4.0
    reference_gap: float = 0.5
    flow: bool = False


def refuse_useless_runs(loading: LoadingSettings, batch_size: int) -> None:
    """Refuse empty runs of windows, a negative gap, and optical flow where no window follows another.

    Raises:
        ReenactError: the settings contradict each other; the message names them.
    """
    length = loading.run_length
    if loading.reference_gap < 0:
        raise ReenactError(f"data.loading.reference_gap is {loading.reference_gap}, but must be at least 0 seconds")
    if length is not None and length < 1:
        raise ReenactError(f"data.loading.run_length is {length}, but a run has at least 1 window")
    if loading.flow and (length or batch_size // RUNS_IN_A_BATCH) < 2:
        raise ReenactError(
            f"data.loading.flow is on, but in batches of {batch_size} no window follows another by itself: set "
            "data.loading.run_length=2"
        )
