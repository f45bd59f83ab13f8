"""Temporal split of a clip: contiguous parts with a gap between them, so that held-out frames resemble no training frame.

A protocol names the split. Papers on head avatars name a training and a test part only, without validation and without a gap. So
that no checkpoint is chosen by test frames, their training part is divided here: the last tenth of it is for validation, and one
second is left out of it at either end. The test part stays exactly the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from lit_reenact.core.errors import ReenactError

ProtocolName = Literal["last-fifth", "insta-350", "flashavatar-500", "first-1800-last-600"]

LAST_FIFTH: ProtocolName = "last-fifth"
"""Name of the default protocol, the only one that divides a clip by fractions."""

FRACTIONS = (0.7, 0.1)
"""Shares of a clip that the default protocol trains and validates on."""

VALIDATION = 0.1
"""Share of a paper's training part that is for validation."""


@dataclass(frozen=True)
class Protocol:
    """Split that the numbers of a paper are measured on.

    Attributes:
        test: number of frames of the test part, the last of the clip; 0 divides the clip by fractions.
        training: number of frames, the first of the clip, that training and validation share; None takes all before the test.
        source: papers or comparisons that use the split.

    Example:
        >>> PROTOCOLS["insta-350"].test
        350
    """

    test: int
    training: int | None
    source: str

    @property
    def least_frames(self) -> int:
        """Number of frames that the counted parts hold."""
        return self.test + (self.training or 0)


PROTOCOLS: dict[ProtocolName, Protocol] = {
    LAST_FIFTH: Protocol(0, None, "this project"),
    "insta-350": Protocol(350, None, "INSTA (Zielonka et al. 2023), SplattingAvatar"),
    "flashavatar-500": Protocol(500, None, "FlashAvatar (Xiang et al. 2024)"),
    "first-1800-last-600": Protocol(600, 1800, "comparisons with fixed footage"),
}
"""Every protocol by its name."""


@dataclass(frozen=True)
class SplitSettings:
    """Parts of each clip.

    Attributes:
        fractions: shares of the clip for training and for validation; the rest is for testing. Only last-fifth reads them.
        training_frames: number of frames to train on, the first ones, to learn how much footage is enough; None trains on the
            whole training part. The track is not made again: it was learned from that whole part.
        protocol: name of the split. last-fifth tests on the last fifth of the clip, insta-350 on its last 350 frames,
            flashavatar-500 on its last 500; first-1800-last-600 trains on the first 1800 and tests on the last 600. In all but
            the first, the last tenth of the training part is for validation.

    Raises:
        ReenactError: there is no such protocol, or fractions are given that it does not read.
    """

    fractions: tuple[float, float] = FRACTIONS
    training_frames: int | None = None
    protocol: ProtocolName = LAST_FIFTH

    def __post_init__(self) -> None:
        first, second = self.fractions
        object.__setattr__(self, "fractions", (first, second))
        if self.protocol not in PROTOCOLS:
            raise ReenactError(f"data.split.protocol is {self.protocol}: choose one of {', '.join(PROTOCOLS)}")
        if self.protocol != LAST_FIFTH and self.fractions != FRACTIONS:
            raise ReenactError(
                f"data.split.fractions is {list(self.fractions)}, but data.split.protocol {self.protocol} counts frames and "
                "reads no fractions: leave one of them out"
            )

    @property
    def name(self) -> str:
        """Name of the split in tables: that of the protocol, or the fractions if they are not the protocol's own."""
        return self.protocol if self.fractions == FRACTIONS else "fractions {} and {}".format(*self.fractions)


@dataclass(frozen=True)
class Split:
    """Frame ranges of a clip; between two of them one second is left out.

    Attributes:
        train: frames to learn from.
        validation: held-out frames to choose settings and checkpoints by.
        test: held-out frames to report results on.
        protocol: name of the split, ``SplitSettings.name``; results of two names are not comparable.
    """

    train: range
    validation: range
    test: range
    protocol: str = field(default=LAST_FIFTH)


def training_frames(frame_count: int, fraction: float = FRACTIONS[0]) -> int:
    """Return the number of frames at the start of a clip that may be learned from, by their share in [0, 1]."""
    return round(frame_count * fraction)


def temporal_split(frame_count: int, fps: float, settings: SplitSettings = SplitSettings(), window: int = 11) -> Split:
    """Split the frames of a clip into train | validation | test.

    One second is dropped at each border, so that neighbouring frames never stand on both sides: from the later part, but never
    from the test part of a protocol that counts its frames.

    Args:
        frame_count: frames of the clip.
        fps: frames per second, which makes the gap one second long.
        settings: protocol, and what it leaves open.
        window: frames of a network's window, the least that a part may hold.

    Raises:
        ReenactError: a part would hold fewer frames than one window, or the training part fewer than the limit.
    """
    gap, protocol = round(fps), PROTOCOLS[settings.protocol]
    if protocol.test:
        split = _by_count(frame_count, gap, protocol)
        if frame_count < protocol.least_frames or not _fits(split, window):
            raise _too_short(frame_count, gap, settings.protocol, window)
    else:
        split = _by_fractions(frame_count, gap, settings.fractions, window)
    split, limit = replace(split, protocol=settings.name), settings.training_frames
    if limit is None:
        return split
    if not window <= limit <= len(split.train):
        raise ReenactError(
            f"data.split.training_frames is {limit}: choose {window} (a window) to {len(split.train)} "
            "(the training part of this clip)"
        )
    return replace(split, train=range(limit))


def _by_fractions(frame_count: int, gap: int, fractions: tuple[float, float], window: int) -> Split:
    first = training_frames(frame_count, fractions[0])
    second = round(frame_count * sum(fractions))
    split = Split(range(first), range(first + gap, second), range(second + gap, frame_count))
    for name in ("train", "validation", "test"):
        frames = len(getattr(split, name))
        if frames < window:
            raise ReenactError(
                f"the clip's {frame_count} frames leave {frames} for its {name} part, fewer than a window of {window}: "
                f"use a longer video, or change data.split.fractions {fractions}"
            )
    return split


def _by_count(frame_count: int, gap: int, protocol: Protocol) -> Split:
    """Return the parts; a clip that is too short has empty ones."""
    test = frame_count - protocol.test
    end = test if protocol.training is None else min(protocol.training, test)
    first = round(end * (1 - VALIDATION))
    return Split(range(first), range(first + gap, min(end, test - gap)), range(test, frame_count))


def _fits(split: Split, window: int) -> bool:
    return all(len(part) >= window for part in (split.train, split.validation, split.test))


def _too_short(frame_count: int, gap: int, name: ProtocolName, window: int) -> ReenactError:
    """Return the error that says how many frames a protocol needs, found by trying longer and longer clips."""
    protocol = PROTOCOLS[name]
    longer = range(protocol.least_frames, protocol.least_frames + 100 * (gap + window))
    needed = next((frames for frames in longer if _fits(_by_count(frames, gap, protocol), window)), None)
    if needed is None:
        return ReenactError(f"protocol {name} leaves no validation part at {gap} frames per second: choose another protocol")
    return ReenactError(
        f"protocol {name} needs {needed} frames for windows of {window} at {gap} frames per second, but the clip has "
        f"{frame_count}: use a longer video, or another protocol"
    )
