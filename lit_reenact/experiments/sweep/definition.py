"""A W&B sweep file of trainings: read, checked in full before anything runs, and the command line of each of its trials."""

from __future__ import annotations

import difflib
import math
import random
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import yaml

from lit_reenact.core.errors import ReenactError
from lit_reenact.training import fit
from lit_reenact.training.run_folder import flatten

METHODS = ("grid", "random", "bayes")
PROGRAM = ["lit-reenact", "fit"]
ARGS = "${args}"
NO_TRACK = "--data.track=unread"
"""For checks, in place of one that would have to be made first."""

Parameters = dict[str, Any]
"""Setting of ``lit-reenact fit`` to value."""


@dataclass(frozen=True)
class Sweep:
    """A checked sweep file.

    Attributes:
        path: of the file.
        content: of the file.
        settings: further words for ``lit-reenact fit``, the same in every trial.
    """

    path: Path
    content: dict[str, Any]
    settings: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """The logged name of what is optimised."""
        return str(self.content["metric"]["name"])

    @property
    def maximises(self) -> bool:
        """Whether more of the metric is better; W&B takes less for better where a file does not say."""
        return bool(self.content["metric"].get("goal") == "maximize")

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """What is varied: setting to its values or its distribution."""
        return dict(self.content["parameters"])

    def arguments(self, parameters: Mapping[str, Any]) -> list[str]:
        """A trial's words after ``lit-reenact fit``: the file's, with ``settings`` and what an agent puts for ``${args}``."""
        words = [str(word) for word in self.content["command"][len(PROGRAM) :]]
        at = words.index(ARGS)
        return [*words[:at], *self.settings, *(f"--{name}={value}" for name, value in parameters.items()), *words[at + 1 :]]


def load_sweep(path: Path, settings: Sequence[str] = ()) -> Sweep:
    """Read a sweep file and check all of it: its form, and its parameters against the settings of ``lit-reenact fit``.

    Args:
        path: of the YAML file.
        settings: further words for ``lit-reenact fit``, such as ``--data.track=outputs/tracks/target``.

    Raises:
        ReenactError: what is wrong with the file, in one sentence; or the package ``sweeps`` is not installed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReenactError(f"{path}: there is no such sweep file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ReenactError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    problem = _problem_of_form(content)
    if problem is not None:
        raise ReenactError(f"{path}: {problem}")
    sweep = Sweep(path, content, tuple(settings))
    _check_settings(sweep)
    return sweep


def sweeps_package() -> ModuleType:
    """W&B's own engine, which proposes trials and stops hopeless ones.

    Raises:
        ReenactError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of pydantic, about the package's own use of it
            import sweeps
    except ImportError as error:
        raise ReenactError(_NOT_INSTALLED) from error
    if not hasattr(sweeps, "next_run"):  # a folder of that name is an empty package to Python
        raise ReenactError(_NOT_INSTALLED)
    return sweeps


_NOT_INSTALLED = "the package sweeps, which proposes the trials, is not installed: pip install 'lit_reenact[sweeps]'"


def propose(sweep: Sweep, trials: Sequence[Any]) -> Parameters | None:
    """The parameters of the next trial; None if a grid has no more.

    The same trials give the same proposal.

    Args:
        sweep: whose method chooses.
        trials: ``sweeps.SweepRun`` of each that there was.

    Raises:
        ReenactError: the method cannot choose among such parameters.
    """
    random.seed(len(trials))
    np.random.seed(len(trials))  # noqa: NPY002 (the package draws from the global ones)
    try:
        run = sweeps_package().next_run(sweep.content, list(trials))
    except ValueError as error:
        raise ReenactError(f"{sweep.path}: {' '.join(str(error).split())}") from error
    if run is None:
        return None
    return {name: _plain(choice["value"]) for name, choice in run.config.items()}


def in_short(value: Any) -> str:
    """A value in one word, with the digits that people read."""
    if isinstance(value, list):
        return "+".join(map(in_short, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def number_in(text: Any) -> float | None:
    """The number that a text holds, as ``1e-5`` does for people but not for YAML; None if it is no text or no number."""
    try:
        return float(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _problem_of_form(content: Any) -> str | None:
    """What is wrong with a file, whatever ``lit-reenact fit`` thinks of its parameters; None if nothing is."""
    if not isinstance(content, dict):
        return "a sweep file has method, metric, command and parameters; this one has no keys at all"
    if content.get("method") not in METHODS:
        return f"method is {content.get('method')}: it is one of {', '.join(METHODS)}"
    parameters = content.get("parameters")
    if not isinstance(parameters, dict) or not all(isinstance(choice, dict) for choice in parameters.values()):
        return "parameters must name each setting that varies, with its values below it"
    metric = content.get("metric")
    if not isinstance(metric, dict) or not metric.get("name"):
        why = "bayes learns from it" if content["method"] == "bayes" else "the trials are ordered by it"
        return f"there is no metric, and {why}: add metric with a name, such as val/face_l1, and a goal"
    for name, choice in parameters.items():
        if "parameters" in choice:
            return f"parameters.{name} is nested: write each setting on its own, as in {name}.NAME"
        for text in [*choice.values(), *_listed(choice)]:
            number = number_in(text)
            if number is not None:
                return f"parameters.{name}: YAML reads {text} as text, not as a number: write {_yaml_number(number)}"
    command = content.get("command")
    if not isinstance(command, list) or command[:2] != PROGRAM or command.count(ARGS) != 1:
        return f'command must read [{", ".join(PROGRAM)}, --config, CONFIG, ..., "{ARGS}"]'
    try:
        violations = sweeps_package().schema_violations_from_proposed_config(content)
    except ValueError as error:
        violations = [str(error)]
    return "; ".join(dict.fromkeys(violations)) or None


def _yaml_number(value: float) -> str:
    text = f"{value:g}"
    return re.sub(r"^(-?\d+)(?=e|$)", r"\1.0", text) if math.isfinite(value) else f".{text}"


def _listed(choice: Mapping[str, Any]) -> list[Any]:
    """The values that a parameter is given one by one, or the ends of its range."""
    if "values" in choice:
        return list(choice["values"]) if isinstance(choice["values"], list) else []
    if "value" in choice:
        return [choice["value"]]
    return [choice[end] for end in ("min", "max") if end in choice]


def _check_settings(sweep: Sweep) -> None:
    """Parse the command by itself, then trials that between them have the first proposal and every value.

    Raises:
        ReenactError: a parameter is not a setting, or a value is not one of its.
    """
    for word in sweep.settings:
        name = word.removeprefix("--").partition("=")[0]
        if name in sweep.parameters:
            raise ReenactError(f"{sweep.path} varies {name}, so it cannot be set for all trials: leave {word} out")
    known = [name for name, _ in flatten(_parsed(sweep, {}))]
    first = propose(sweep, [])
    assert first is not None  # the schema wants a value
    _parsed(sweep, first, known)
    listed = {name: _listed(choice) or [first[name]] for name, choice in sweep.parameters.items()}
    for row in range(max(map(len, listed.values()))):
        _parsed(sweep, {name: values[row % len(values)] for name, values in listed.items()}, known)


def _parsed(sweep: Sweep, parameters: Mapping[str, Any], known: Sequence[str] = ()) -> dict[str, Any]:
    """Every setting of a trial.

    Raises:
        ReenactError: as ``lit-reenact fit``; of a parameter that is not ``known``, with the nearest that is.
    """
    try:
        with torch.device("meta"):  # networks without weights: whether they can be built is all that is asked
            return fit._parse([*sweep.arguments(parameters), NO_TRACK], "fit").plain_config
    except ReenactError as error:
        stranger = re.search(r"unrecognized arguments: --([^=\s]+)", str(error))
        if stranger is None or stranger[1] not in parameters:
            raise ReenactError(f"{sweep.path}: {error}") from error
        (nearest,) = difflib.get_close_matches(stranger[1], known, 1, cutoff=0)
        raise ReenactError(
            f"{sweep.path}: parameters.{stranger[1]} is not a setting of `lit-reenact fit`; the nearest is {nearest}"
        ) from error
