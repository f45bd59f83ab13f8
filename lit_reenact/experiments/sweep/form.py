"""The form of a sweep file, whatever its parameters mean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from lit_reenact.experiments.sweep.definition import ARGS, PROGRAM
from lit_reenact.experiments.sweep.engine import sweeps_package

METHODS = ("grid", "random", "bayes")


def problem_of_form(content: Any) -> str | None:
    """Return what is wrong with the form of a sweep file; None if nothing is.

    Args:
        content: the parsed file.

    Raises:
        ReenactError: the package ``sweeps`` is not installed.
    """
    if not isinstance(content, dict):
        return "a sweep file has method, metric, command and parameters; this one has no keys at all"
    return next((problem for check in CHECKS if (problem := check(content)) is not None), None)


def _method(content: dict[str, Any]) -> str | None:
    if content.get("method") in METHODS:
        return None
    return f"method is {content.get('method')}: it is one of {', '.join(METHODS)}"


def _parameters(content: dict[str, Any]) -> str | None:
    parameters = content.get("parameters")
    if isinstance(parameters, dict) and all(isinstance(choice, dict) for choice in parameters.values()):
        return None
    return "parameters must name each setting that varies, with its values below it"


def _metric(content: dict[str, Any]) -> str | None:
    metric = content.get("metric")
    if isinstance(metric, dict) and metric.get("name"):
        return None
    why = "bayes learns from it" if content["method"] == "bayes" else "the trials are ordered by it"
    return f"there is no metric, and {why}: add metric with a name, such as val/face_l1, and a goal"


def _choices(content: dict[str, Any]) -> str | None:
    for name, choice in content["parameters"].items():
        if "parameters" in choice:
            return f"parameters.{name} is nested: write each setting on its own, as in {name}.NAME"
        for text in [*choice.values(), *listed_values(choice)]:
            number = parse_number(text)
            if number is not None:
                return f"parameters.{name}: YAML reads {text} as text, not as a number: write {_yaml_number(number)}"
    return None


def _command(content: dict[str, Any]) -> str | None:
    command = content.get("command")
    if isinstance(command, list) and command[:2] == PROGRAM and command.count(ARGS) == 1:
        return None
    return f'command must read [{", ".join(PROGRAM)}, --config, CONFIG, ..., "{ARGS}"]'


def _schema(content: dict[str, Any]) -> str | None:
    """Report what W&B's own schema refuses."""
    try:
        violations = sweeps_package().schema_violations_from_proposed_config(content)
    except ValueError as error:
        violations = [str(error)]
    return "; ".join(dict.fromkeys(violations)) or None


CHECKS: tuple[Callable[[dict[str, Any]], str | None], ...] = (_method, _parameters, _metric, _choices, _command, _schema)
"""Checks in the order in which they may rely on each other."""


def listed_values(choice: Mapping[str, Any]) -> list[Any]:
    """Return the values of a parameter that are listed one by one, or the ends of its range."""
    if "values" in choice:
        return list(choice["values"]) if isinstance(choice["values"], list) else []
    if "value" in choice:
        return [choice["value"]]
    return [choice[end] for end in ("min", "max") if end in choice]


def parse_number(text: Any) -> float | None:
    """Return the number in a text such as ``1e-5``, which YAML does not take for one; None if it is no text or no number."""
    try:
        return float(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _yaml_number(value: float) -> str:
    text = f"{value:g}"
    return re.sub(r"^(-?\d+)(?=e|$)", r"\1.0", text) if math.isfinite(value) else f".{text}"
