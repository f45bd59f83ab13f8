"""What of the source drives what of the target: where each channel comes from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, get_args

from lit_reenact.core.errors import ReenactError

Mode = Literal["target", "typical", "source", "reference", "relative", "matched", "camera"]
"""Where a channel comes from:

* ``target``: the target's own frames from its first one on, played forward and back as often as the source is longer, so that
  nothing jumps where they end;
* ``typical``: the target's mean training frame, held;
* ``source``: the source's, as it is;
* ``reference``: the source's departure from its reference frame, made from the target's reference frame: ``R = R_s R_ref^-1 R_t``
  for rotations, the difference for everything else;
* ``relative``: the source's departure from its mean, made from the mean of the target's training frames; translation on the
  target's neck, and softly limited (``transfer_translation``);
* ``matched``: the same, as large as the target's own: scaled by the spread of its training frames over the source's, by 2 at
  most; for expressions see ``match_expression``;
* ``camera``: the eyes look into the camera, whatever the head does. Gaze alone can.
"""

ADAPTING = ("typical", "reference", "relative", "matched")
"""Modes that undo what differs between two recordings. Where there is one only, they give the source's parameters as they are."""


@dataclass(frozen=True)
class ChannelPolicy:
    """Of one channel.

    Attributes:
        mode: see ``Mode``.
        gain: factor, 0 or more, on the departure from the target's rest: from its mean pose, place and light, its neutral face,
            its usual look, its identity.
        smoothing: standard deviation, in seconds, of the Gaussian that smooths the channel between cuts; 0 leaves it as it is.
    """

    mode: Mode
    gain: float = 1.0
    smoothing: float = 0.0


@dataclass(frozen=True)
class TransferPolicy:
    """Of all channels. The three parts of the expression are told apart by ARKit names.

    Attributes:
        rotation: of the head.
        translation: of the head.
        mouth: jaw, lips, tongue and puffed cheeks.
        upper_face: brows, squinting and wide eyes, cheeks, nose; components without a name too.
        blink: ``eyeBlinkLeft`` and ``eyeBlinkRight``.
        gaze: of both eyes.
        identity: the shape of the face: the target's actor's, or the source's.
        illumination: the light.
        reference: number of the source's frame that mode ``reference`` starts from.
        target_reference: number of the target's frame that answers to it.

    Raises:
        ReenactError: a mode, gain or smoothing that cannot be, or that its channel does not have.
    """

    rotation: ChannelPolicy
    translation: ChannelPolicy
    mouth: ChannelPolicy
    upper_face: ChannelPolicy
    blink: ChannelPolicy
    gaze: ChannelPolicy
    identity: ChannelPolicy
    illumination: ChannelPolicy
    reference: int = 0
    target_reference: int = 0

    def __post_init__(self) -> None:
        for name, channel in self.channels.items():
            _check(name, channel)
        for name in REFERENCES:
            frame = getattr(self, name)
            if isinstance(frame, bool) or not isinstance(frame, int) or frame < 0:
                raise ReenactError(f"{name} is the number of a frame, counted from 0; {frame!r} is none")

    @property
    def channels(self) -> dict[str, ChannelPolicy]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in REFERENCES}

    @property
    def modes(self) -> set[Mode]:
        return {channel.mode for channel in self.channels.values()}

    @property
    def needs_source(self) -> bool:
        """Whether any channel comes from a source."""
        return not self.modes <= {"target", "typical", "camera"}

    @property
    def plays_target(self) -> bool:
        """Whether any channel shows the target's own frames one after the other; an identity has no frames."""
        return any(channel.mode == "target" for name, channel in self.channels.items() if name != "identity")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a record; ``policy_of`` reads them."""
        return asdict(self)


REFERENCES = ("reference", "target_reference")
CHANNELS = tuple(f.name for f in fields(TransferPolicy) if f.name not in REFERENCES)


def _check(name: str, channel: ChannelPolicy) -> None:
    allowed = [mode for mode in get_args(Mode) if name == "gaze" or mode != "camera"]
    allowed = ["target", "source"] if name == "identity" else allowed
    if channel.mode not in allowed:
        raise ReenactError(f"{name} has no mode {channel.mode!r}{meant(channel.mode, allowed)}: choose {any_of(allowed)}")
    for setting in ("gain", "smoothing"):
        value = getattr(channel, setting)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ReenactError(f"the {setting} of {name} is a number, 0 or more; {value!r} is none")
    if channel.mode == "camera" and channel.gain != 1:
        raise ReenactError("gaze with a gain of its own misses the camera: leave the gain of mode 'camera' at 1")


def meant(name: object, known: Iterable[str]) -> str:
    """The known name that someone may have meant, in brackets; empty if none is like it."""
    near = get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def any_of(names: Iterable[str]) -> str:
    """For a sentence."""
    return ", ".join(names)
