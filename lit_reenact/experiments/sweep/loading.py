"""Reading a sweep file, with all its checks before anything runs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.split import SplitSettings
from lit_reenact.experiments.sweep.definition import Sweep
from lit_reenact.experiments.sweep.engine import propose
from lit_reenact.experiments.sweep.form import listed_values, problem_of_form
from lit_reenact.training.cli import CALLBACKS, DATA, import_class, parse_config
from lit_reenact.training.settings import flatten

NO_TRACK = "--data.track=unread"
"""Placeholder in checks for a track that does not exist yet."""


def load_sweep(path: Path, settings: Sequence[str] = ()) -> Sweep:
    """Read a sweep file and check all of it: its form, and its parameters against the settings of ``lit-reenact fit``.

    Args:
        path: the YAML file.
        settings: further arguments of ``lit-reenact fit``, such as ``--data.track=outputs/tracks/target``.

    Raises:
        ReenactError: the file is missing or wrong, the message says where; or the package ``sweeps`` is not installed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReenactError(f"{path}: there is no such sweep file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ReenactError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    problem = problem_of_form(content)
    if problem is not None:
        raise ReenactError(f"{path}: {problem}")
    sweep = Sweep(path, content, tuple(settings))
    return replace(sweep, protocol=_check_settings(sweep))


def _check_settings(sweep: Sweep) -> str:
    """Parse the command by itself, then trials that together contain the first proposal and every listed value.

    Returns:
        The name of the split of every trial.

    Raises:
        ReenactError: a parameter is not a setting, a value does not fit its setting, a setting is also a parameter, or the
            trials have different splits.
    """
    for word in sweep.settings:
        name = word.removeprefix("--").partition("=")[0]
        if name in sweep.parameters:
            raise ReenactError(f"{sweep.path} varies {name}, so it cannot be set for all trials: leave {word} out")
    known = [name for name, _ in flatten(_parse_trial(sweep, {}))]
    first = propose(sweep, [])
    assert first is not None  # the schema wants a value
    protocol = _protocol(_parse_trial(sweep, first, known))
    listed = {name: listed_values(choice) or [first[name]] for name, choice in sweep.parameters.items()}
    for row in range(max(map(len, listed.values()))):
        trial = _parse_trial(sweep, {name: values[row % len(values)] for name, values in listed.items()}, known)
        if _protocol(trial) != protocol:
            raise ReenactError(
                f"{sweep.path}: there are trials of the splits {protocol} and {_protocol(trial)}: results of different protocols "
                "cannot be compared, so give data.split one value"
            )
    return protocol


def _protocol(settings: Mapping[str, Any]) -> str:
    return SplitSettings(**settings["data"]["split"]).name


def _parse_trial(sweep: Sweep, parameters: Mapping[str, Any], known: Sequence[str] = ()) -> dict[str, Any]:
    """Return every setting of a trial.

    Args:
        sweep: the sweep.
        parameters: parameters of the trial.
        known: names of all settings; the nearest is suggested for a parameter that is not among them.

    Raises:
        ReenactError: ``lit-reenact fit`` refuses the arguments.
    """
    for class_path in (DATA, *CALLBACKS.values()):
        import_class(class_path)  # outside of the block below, in which constants of modules would have no values
    try:
        with torch.device("meta"):  # networks without weights: the check is only whether they can be built
            return parse_config([*sweep.arguments(parameters), NO_TRACK]).plain_config
    except ReenactError as error:
        stranger = re.search(r"unrecognized arguments: --([^=\s]+)", str(error))
        if stranger is None or stranger[1] not in parameters:
            raise ReenactError(f"{sweep.path}: {error}") from error
        (nearest,) = difflib.get_close_matches(stranger[1], known, 1, cutoff=0)
        raise ReenactError(
            f"{sweep.path}: parameters.{stranger[1]} is not a setting of `lit-reenact fit`; the nearest is {nearest}"
        ) from error
