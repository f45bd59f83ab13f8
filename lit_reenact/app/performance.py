"""The performance that a session edits: the target's own, or that of a driver."""

from __future__ import annotations

from dataclasses import dataclass

from lit_reenact.app.runs import OpenRun
from lit_reenact.core.schema import FaceParameters
from lit_reenact.guard import GuardMode
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import TransferPolicy
from lit_reenact.video.cuts import shots


@dataclass(frozen=True, eq=False)
class UneditedPerformance:
    """Parameters of the face before any slider changes them, at the target's frame rate.

    Attributes:
        parameters: face parameters of T frames.
        cuts: number of the first frame after every cut.
        source: clip that drives the target; None if the target performs itself.
        policy: channels of the source that drive the target; None for the target's clip as it is.
        guard: treatment of parameters that the target's training did not show; None for the target's own.
        guard_report: lines about such parameters for the user, from ``GuardReport.to_text``.
    """

    parameters: FaceParameters
    cuts: tuple[int, ...]
    source: TrackedClip | None = None
    policy: TransferPolicy | None = None
    guard: GuardMode | None = None
    guard_report: str = ""

    @classmethod
    def of_target(cls, run: OpenRun) -> UneditedPerformance:
        """Return the performance of the target's own video."""
        return cls(run.target.track.parameters, run.target.track.info.cuts)

    def __len__(self) -> int:
        return len(self.parameters)

    def shot(self, frame: int) -> tuple[int, int]:
        """Return the range [start, stop) of frames between the cuts before and after a frame."""
        return next((start, stop) for start, stop in shots(self.cuts, len(self)) if frame < stop)
