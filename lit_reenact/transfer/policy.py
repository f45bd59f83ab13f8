"""Transfer policies: the origin of each channel of the driven parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, get_args

from lit_reenact.core.errors import ReenactError

Mode = Literal["target", "typical", "source", "reference", "relative", "matched", "camera"]
"""Origin of a channel:

* ``target``: the target's own frames, played forward and back if the source is longer, so that nothing jumps at their end;
* ``typical``: the mean of the target's training frames, in every frame;
* ``source``: the source's values, unchanged;
* ``reference``: the source's departure from its reference frame, applied to the target's reference frame:
  ``R = R_s R_ref^-1 R_t`` for rotations, the difference for all else;
* ``relative``: the source's departure from its mean, applied to the mean of the target's training frames; for translation on
  the target's neck, with a soft limit (``transfer_translation``);
* ``matched``: the ``relative`` departure, scaled by the spread of the target's training frames over the source's, at most by 2;
  for expressions see ``match_expression``;
* ``camera``: a look into the camera, whatever the head does; for gaze only.
"""

ADAPTING = ("typical", "reference", "relative", "matched")
"""Modes that adapt to another recording; within a single recording they give the source's parameters unchanged."""


@dataclass(frozen=True)
class ChannelPolicy:
    """Transfer of one channel.

    Attributes:
        mode: origin of the channel, one of ``Mode``.
        gain: factor, at least 0, on the departure from the target's rest: mean pose, place and light, neutral face, gaze straight
            ahead, own identity.
        smoothing: standard deviation, seconds, of the Gaussian that smooths the channel between cuts; 0 does not smooth.
    """

    mode: Mode
    gain: float = 1.0
    smoothing: float = 0.0


@dataclass(frozen=True)
class TransferPolicy:
    """Transfer of all channels. ARKit names separate the three parts of the expression.

    Attributes:
        rotation: rotation of the head.
        translation: translation of the head.
        mouth: jaw, lips, tongue and puffed cheeks.
        upper_face: brows, squinting and wide eyes, cheeks, nose; also components without a name.
        blink: ``eyeBlinkLeft`` and ``eyeBlinkRight``.
        gaze: gaze of both eyes.
        identity: shape of the face, with mode ``target`` or ``source``.
        illumination: light.
        reference: number of the source's frame that mode ``reference`` starts from.
        target_reference: number of the target's frame that corresponds to it.

    Raises:
        ReenactError: an invalid gain, smoothing or frame number, or a mode that its channel does not have.

    Example:
        >>> policy = replace(PRESETS["dubbing"], mouth=ChannelPolicy("matched", gain=1.2))
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
                raise ReenactError(f"{name} must be the number of a frame, counted from 0, not {frame!r}")

    @property
    def channels(self) -> dict[str, ChannelPolicy]:
        """Policy of each channel, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in REFERENCES}

    @property
    def modes(self) -> set[Mode]:
        """Modes of all channels."""
        return {channel.mode for channel in self.channels.values()}

    @property
    def needs_source(self) -> bool:
        """True if any channel comes from a source."""
        return not self.modes <= {"target", "typical", "camera"}

    @property
    def plays_target(self) -> bool:
        """True if any channel plays the target's own frames; identity has no frames."""
        return any(channel.mode == "target" for name, channel in self.channels.items() if name != "identity")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, which ``policy_of`` reads."""
        return asdict(self)


REFERENCES = ("reference", "target_reference")
CHANNELS = tuple(f.name for f in fields(TransferPolicy) if f.name not in REFERENCES)


def _check(name: str, channel: ChannelPolicy) -> None:
    allowed = [mode for mode in get_args(Mode) if name == "gaze" or mode != "camera"]
    allowed = ["target", "source"] if name == "identity" else allowed
    if channel.mode not in allowed:
        raise ReenactError(f"{name} has no mode {channel.mode!r}{suggestion(channel.mode, allowed)}: choose {', '.join(allowed)}")
    for setting in ("gain", "smoothing"):
        value = getattr(channel, setting)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ReenactError(f"the {setting} of {name} must be a number of at least 0, not {value!r}")
    if channel.mode == "camera" and channel.gain != 1:
        raise ReenactError("gaze with a gain misses the camera: leave the gain of mode 'camera' at 1")


def suggestion(name: object, known: Iterable[str]) -> str:
    """Return the most similar known name as a question in brackets; empty if none is similar."""
    near = get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
