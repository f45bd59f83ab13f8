"""The motion that an edit starts from: the target's own, or that of a source who drives it."""

from __future__ import annotations

from dataclasses import dataclass

from lit_reenact.core.schema import FaceParameters
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import TransferPolicy, resample_track, transfer, transferred_cuts


@dataclass(frozen=True)
class BasePerformance:
    """The motion of the target's face before it is edited, at the frame rate of the target's clip.

    Attributes:
        clip: clip of the performer: the target's own, or that of a source who drives it.
        parameters: face parameters of the target in each of the T frames.
        cuts: first frame after every cut.
        policy: transfer from the performer to the target; None for the target as it was filmed.
    """

    clip: TrackedClip
    parameters: FaceParameters
    cuts: tuple[int, ...]
    policy: TransferPolicy | None = None


def base_performance(
    target: TrackedClip, source: TrackedClip | None = None, policy: TransferPolicy | None = None
) -> BasePerformance:
    """Return the target's performance as it was filmed or, with a policy, as a source drives it.

    Raises:
        ReenactError: the policy needs a source and there is none, or the two tracks do not fit each other.
    """
    if policy is None:
        return BasePerformance(target, target.track.parameters, target.track.info.cuts)
    source_track = None if source is None else resample_track(source.track, target.fps)
    parameters = transfer(source_track, target.track, policy)
    clip = target if source is None or not policy.needs_source else source
    return BasePerformance(clip, parameters, transferred_cuts(source_track, target.track, policy), policy)
