"""How fast live reenactment is, and how late its pictures are."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

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

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note under that stage how long what is done within takes."""
        start = time.perf_counter()
        yield
        self.took(stage, time.perf_counter() - start)

    def took(self, stage: str, seconds: float) -> None:
        """Note it."""
        self._stages[stage].append(seconds)

    def made_one(self, taken: float) -> None:
        """A picture is shown, of the camera's that was there at that moment by ``time.perf_counter``."""
        now = time.perf_counter()
        self._finished.append(now)
        self._latencies.append(now - taken)

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
        """Seconds that each stage takes for a picture."""
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
            f"Of it, at the end: {stages}. Processor time for a picture made: "
            f"{1000 * (time.process_time() - self._begun) / max(1, self.made):.0f} ms."
        )
