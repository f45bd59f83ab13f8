"""Measurement of live reenactment: frames per second, latency, and the time of each stage."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

RECENT = 60
"""Number of frames that the figures on the page are averaged over."""


class Readout:
    """Counts and times of a live session. Each stage writes its own figures from its own thread.

    Attributes:
        captured: number of camera frames so far.
    """

    def __init__(self) -> None:
        self.captured = 0
        self._start = time.process_time()
        self._displayed: list[float] = []
        self._latencies: list[float] = []
        self._stages: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Record the duration of the block as that of the stage."""
        start = time.perf_counter()
        yield
        self.record(stage, time.perf_counter() - start)

    def record(self, stage: str, seconds: float) -> None:
        """Record a duration of the stage."""
        self._stages[stage].append(seconds)

    def count_frame(self, captured_at: float) -> None:
        """Count a generated frame that has just been displayed.

        Args:
            captured_at: arrival of its camera frame, by ``time.perf_counter``.
        """
        now = time.perf_counter()
        self._displayed.append(now)
        self._latencies.append(now - captured_at)

    @property
    def generated(self) -> int:
        """Number of generated frames displayed so far."""
        return len(self._displayed)

    def rate(self, last: int | None = None) -> float:
        """Return the frames per second over the last frames, or over all; 0 before the second frame."""
        times = self._displayed[-last:] if last else self._displayed
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0

    def latency(self, share: float, last: int | None = None) -> float:
        """Return the latency (seconds) that this share of the last frames, or of all, did not exceed; 0 without frames."""
        latencies = self._latencies[-last:] if last else self._latencies
        return float(np.quantile(latencies, share)) if latencies else 0.0

    def stages(self) -> dict[str, float]:
        """Return the mean duration (seconds) of each stage for one frame."""
        return {name: float(np.mean(times)) for name, times in list(self._stages.items())}

    def recent(self) -> dict[str, float]:
        """Return the figures of the page: frames per second, and milliseconds of latency."""
        return {"fps": round(self.rate(RECENT), 1), "latency_ms": round(1000 * self.latency(0.5, RECENT))}

    def summary(self) -> str:
        """Return one paragraph about the whole session."""
        stages = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in self.stages().items())
        return (
            f"{self.generated} frames generated of {self.captured} captured, {self.rate():.1f} a second. Latency from a frame's "
            f"arrival: median {1000 * self.latency(0.5):.0f} ms, 95 % within {1000 * self.latency(0.95):.0f} ms.\n"
            f"Stages, at the end: {stages}. Processor time for a generated frame: "
            f"{1000 * (time.process_time() - self._start) / max(1, self.generated):.0f} ms."
        )
