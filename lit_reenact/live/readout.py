"""How fast live reenactment is, and how late its pictures are."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")

RECENT = 60
"""Pictures over which the speed shown meanwhile is averaged."""


class Readout:
    """Counts and times. Each stage writes its own from its own thread.

    Attributes:
        taken: pictures of the camera so far.
    """

    def __init__(self) -> None:
        self.taken = 0
        self._begun = time.process_time()
        self._finished: list[float] = []
        self._latencies: list[float] = []
        self._stages: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))

    def measured(self, stage: str, work: Callable[[], Result]) -> Result:
        """What ``work`` gives; how much processor time its thread took is noted under that stage."""
        start = time.thread_time()
        result = work()
        self._stages[stage].append(time.thread_time() - start)
        return result

    def made_one(self, latency: float) -> None:
        """A picture is finished, so many seconds after that of the camera was there."""
        self._finished.append(time.perf_counter())
        self._latencies.append(latency)

    @property
    def made(self) -> int:
        """Pictures made so far."""
        return len(self._finished)

    def rate(self, last: int | None = None) -> float:
        """Pictures per second, of the last ones or of all; 0 before the second one."""
        times = self._finished[-last:] if last else self._finished
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0

    def latency(self, share: float, last: int | None = None) -> float:
        """Seconds that so large a share of the pictures were not later than; 0 before the first one."""
        latencies = self._latencies[-last:] if last else self._latencies
        return float(np.quantile(latencies, share)) if latencies else 0.0

    def stages(self) -> dict[str, float]:
        """Seconds of processor time that each stage takes for a picture."""
        return {name: float(np.mean(times)) for name, times in list(self._stages.items())}

    def now(self) -> dict[str, float]:
        """What a page shows: pictures per second, and milliseconds of latency."""
        return {"fps": round(self.rate(RECENT), 1), "latency_ms": round(1000 * self.latency(0.5, RECENT))}

    def summary(self) -> str:
        """One paragraph about the whole run."""
        stages = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in self.stages().items())
        return (
            f"{self.made} pictures made of {self.taken} taken, {self.rate():.1f} a second. Latency from a picture's arrival: "
            f"median {1000 * self.latency(0.5):.0f} ms, 95 % within {1000 * self.latency(0.95):.0f} ms.\n"
            f"Processor time of each stage's thread: {stages}; of everything, for a picture made, "
            f"{1000 * (time.process_time() - self._begun) / max(1, self.made):.0f} ms."
        )
