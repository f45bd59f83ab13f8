"""Transfer policies by name, from plain values and from a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lit_reenact.core.errors import ReenactError
from lit_reenact.transfer.policy import CHANNELS, REFERENCES, ChannelPolicy, TransferPolicy, suggestion

_TARGET: dict[str, Any] = {name: ChannelPolicy("target") for name in CHANNELS}
_POSE: dict[str, Any] = {"rotation": ChannelPolicy("relative"), "translation": ChannelPolicy("relative")}
_FACE: dict[str, Any] = {name: ChannelPolicy("source") for name in ("mouth", "upper_face", "blink")}
_SOURCE, _TYPICAL = ChannelPolicy("source"), ChannelPolicy("typical")

PRESETS: Mapping[str, TransferPolicy] = {
    "full": TransferPolicy(**{**_TARGET, **_POSE, **_FACE, "gaze": _SOURCE, "illumination": _TYPICAL}),
    "expression": TransferPolicy(**{**_TARGET, **_FACE}),
    "dubbing": TransferPolicy(**{**_TARGET, "mouth": ChannelPolicy("matched")}),
    "gaze": TransferPolicy(**{**_TARGET, "gaze": _SOURCE}),
    "eye-contact": TransferPolicy(**{**_TARGET, "gaze": ChannelPolicy("camera")}),
    "pose": TransferPolicy(**{**_TARGET, **_POSE}),
}
"""Presets by name:

* ``full``: head reenactment: all motion is the source's, about the target's mean pose; the target's identity and mean light;
* ``expression``: facial reenactment: the source's face and blinks under the target's own pose, gaze and light;
* ``dubbing``: the source's mouth and jaw in the target's own style, everything else the target's, frame by frame;
* ``gaze``: the source's gaze, everything else the target's;
* ``eye-contact``: the target looks into the camera; no source is needed;
* ``pose``: the source's head pose, everything else the target's.
"""


def policy_of(values: Mapping[str, Any], where: str = "the transfer policy") -> TransferPolicy:
    """Convert plain values to a policy.

    Args:
        values: changes to a preset: a mode, or mode, gain and smoothing, by the name of the channel; ``preset`` ("full" without
            it); ``reference`` and ``target_reference``.
        where: name of the values in error messages.

    Raises:
        ReenactError: an unknown name or an invalid value.

    Example:
        >>> policy = policy_of({"preset": "dubbing", "mouth": {"gain": 1.2}, "gaze": "source"})
    """
    _refuse_unknown(values, ("preset", *CHANNELS, *REFERENCES), "channel", where)
    preset = values.get("preset", "full")
    _refuse_unknown([preset], tuple(PRESETS), "preset", where)
    base = PRESETS[preset]
    changes: dict[str, Any] = {name: values[name] for name in REFERENCES if name in values}
    for name in CHANNELS:
        change = values.get(name, {})
        change = {"mode": change} if isinstance(change, str) else change
        if not isinstance(change, Mapping):
            raise ReenactError(f"{where}: {name} must be a mode, or mode, gain and smoothing, not {change!r}")
        _refuse_unknown(change, tuple(f.name for f in fields(ChannelPolicy)), f"setting of {name}", where)
        changes[name] = replace(getattr(base, name), **change)
    try:
        return replace(base, **changes)
    except ReenactError as error:
        raise ReenactError(f"{where}: {error}") from error


def load_policy(name_or_path: str) -> TransferPolicy:
    """Return a preset by its name, or read a policy from a YAML file with the values of ``policy_of``.

    Raises:
        ReenactError: the preset or file does not exist, or the file holds no policy.
    """
    if name_or_path in PRESETS:
        return PRESETS[name_or_path]
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        raise ReenactError(
            f"there is no transfer preset {name_or_path!r}: choose {', '.join(PRESETS)}, or the path of a .yaml file"
        )
    try:
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise ReenactError(f"{path} cannot be read as a transfer policy: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ReenactError(f"{path} is no transfer policy: it should name channels, as in `mouth: matched`")
    return policy_of({str(name): value for name, value in values.items()}, str(path))


def _refuse_unknown(names: Iterable[object], known: tuple[str, ...], kind: str, where: str) -> None:
    for name in names:
        if name not in known:
            raise ReenactError(f"{where}: there is no {kind} {name!r}{suggestion(name, known)}: choose {', '.join(known)}")
