"""A W&B sweep file of trainings, and the command line of each of its trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_reenact.core.split import LAST_FIFTH

PROGRAM = ["lit-reenact", "fit"]
ARGS = "${args}"
"""Word of the command that a W&B agent replaces by the parameters of a trial."""

Parameters = dict[str, Any]
"""Setting of ``lit-reenact fit`` to value."""


@dataclass(frozen=True)
class Sweep:
    """A checked sweep file.

    Attributes:
        path: the YAML file.
        content: parsed content of the file.
        settings: further arguments of ``lit-reenact fit`` for every trial.
        protocol: name of the split of every trial.
    """

    path: Path
    content: dict[str, Any]
    settings: tuple[str, ...] = ()
    protocol: str = LAST_FIFTH

    @property
    def metric(self) -> str:
        """Logged name of the metric that is optimised."""
        return str(self.content["metric"]["name"])

    @property
    def maximises(self) -> bool:
        """True if more of the metric is better; less is better where the file names no goal, as in W&B."""
        return bool(self.content["metric"].get("goal") == "maximize")

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Setting that varies to its values or its distribution."""
        return dict(self.content["parameters"])

    def arguments(self, parameters: Mapping[str, Any]) -> list[str]:
        """Return a trial's arguments of ``lit-reenact fit``: the file's, with ``settings`` and the trial's parameters.

        The parameters stand in place of ``${args}``, spelt as a W&B agent spells them.
        """
        words = [str(word) for word in self.content["command"][len(PROGRAM) :]]
        at = words.index(ARGS)
        return [*words[:at], *self.settings, *(f"--{name}={value}" for name, value in parameters.items()), *words[at + 1 :]]


def shorten(value: Any) -> str:
    """Return a value in one word, numbers with four digits."""
    if isinstance(value, list):
        return "+".join(map(shorten, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
