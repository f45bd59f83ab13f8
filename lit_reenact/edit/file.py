"""Reading and writing of edit files, JSON or YAML.

Example::

time: seconds            # or frames
remove_hair: false
sliders:
  head_yaw: 10           # in every frame
  close_left_eye: {interpolation: linear, keys: [[0, 0], [0.5, 1], [1, 0]]}
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import yaml

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import write_text
from lit_reenact.edit.sliders import Slider, sliders_of
from lit_reenact.edit.tracks import Edit, Interpolation, SliderTrack, TimeUnit
from lit_reenact.face import FaceModel

JSON_SUFFIX = ".json"


def read_edit(path: Path, model: FaceModel) -> Edit:
    """Read an edit from a file.

    Args:
        path: edit file; JSON if its name ends in ``.json``, otherwise YAML.
        model: face model of the track to edit; its shapes are sliders.

    Raises:
        ReenactError: the file is missing, is neither JSON nor YAML, or holds no valid edit.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix.lower() == JSON_SUFFIX else yaml.safe_load(text)
    except FileNotFoundError as error:
        raise ReenactError(f"{path}: no such edit file") from error
    except (ValueError, yaml.YAMLError) as error:  # ValueError: invalid JSON, or bytes that are no text
        raise ReenactError(f"{path} is no edit file: it is neither JSON nor YAML ({' '.join(str(error).split())})") from error
    return parse_edit(data, model, str(path))


def write_edit(edit: Edit, path: Path) -> None:
    """Write an edit that ``read_edit`` reads back; JSON if the name ends in ``.json``, otherwise YAML."""
    data = edit.as_dict()
    text = json.dumps(data, indent=2) + "\n" if path.suffix.lower() == JSON_SUFFIX else yaml.safe_dump(data, sort_keys=False)
    write_text(path, text)


def parse_edit(data: object, model: FaceModel, where: str = "the edit") -> Edit:
    """Convert plain values, as in an edit file, to an edit.

    Args:
        data: content of an edit file.
        model: face model of the track to edit; its shapes are sliders.
        where: name of the data in error messages.

    Raises:
        ReenactError: an unknown name, a value out of range, keys out of order, or data of another kind.
    """
    table = sliders_of(model)
    parts = _mapping(data, where, ("time", "remove_hair", "sliders"))
    time, remove_hair = parts.get("time", "seconds"), parts.get("remove_hair", False)
    _one_of(time, get_args(TimeUnit), f"{where}: time")
    if not isinstance(remove_hair, bool):
        raise ReenactError(f"{where}: remove_hair must be true or false, not {remove_hair!r}")
    sliders = _mapping(parts.get("sliders", {}), f"{where}: sliders", table)
    tracks = {name: _track(value, table[name], f"{where}: {name}") for name, value in sliders.items()}
    return Edit(tracks, time, remove_hair)


def _track(value: object, slider: Slider, where: str) -> SliderTrack:
    if not isinstance(value, Mapping):
        return SliderTrack(((0.0, _in_range(value, slider, where)),))
    parts = _mapping(value, where, ("interpolation", "keys"))
    interpolation = parts.get("interpolation", "smooth")
    _one_of(interpolation, get_args(Interpolation), f"{where}: interpolation")
    listed = parts.get("keys")
    if not isinstance(listed, list) or not listed or not all(isinstance(key, list) and len(key) == 2 for key in listed):
        raise ReenactError(f"{where}: keys must be a list of [time, value], not {listed!r}")
    keys = tuple((_number(key[0], f"{where}: a time"), _in_range(key[1], slider, where)) for key in listed)
    for (before, _), (after, _) in pairwise(keys):
        if after <= before:
            raise ReenactError(f"{where}: its key at {after:g} comes after the one at {before:g}: put times in ascending order")
    return SliderTrack(keys, interpolation)


def _in_range(value: object, slider: Slider, where: str) -> float:
    number = _number(value, where)
    if not slider.low <= number <= slider.high:
        unit = f" {slider.unit}" if slider.unit else ""
        raise ReenactError(f"{where} = {number:g} is out of range: it goes from {slider.low:g} to {slider.high:g}{unit}")
    return number


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ReenactError(f"{where} must be a number, not {value!r}")
    return float(value)


def _one_of(value: object, known: tuple[str, ...], where: str) -> None:
    if value not in known:
        raise ReenactError(f"{where} must be {' or '.join(known)}, not {value!r}")


def _mapping(value: object, where: str, known: Iterable[str]) -> dict[str, Any]:
    """Check that a value is a mapping with known names only; None counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ReenactError(f"{where} must hold names with their values, not {value!r}")
    names = list(known)
    for name in value:
        if name not in names:
            nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0.0)
            raise ReenactError(f"{where} knows no {name!r}: did you mean {nearest[0]!r}?")
    return dict(value)
