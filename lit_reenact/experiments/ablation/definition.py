"""Ablations: files of differences from a base configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lit_reenact.core.errors import ReenactError
from lit_reenact.experiments.yaml_file import read_yaml
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.training.settings import flatten

REFERENCE = "full"
"""Name of the ablation without a difference, which the others are compared with."""

TRACKER = "tracker"
"""Part of an ablation file that holds settings of the tracker; all other parts are settings of ``lit-reenact fit``."""

QUESTIONS = {
    "model.inputs.conditioning": "conditioning",
    "model.inputs.window": "window",
    "model.inputs.placement": "window",
    "model.inputs.stride": "window",
    "model.losses.": "losses",
    "model.discriminator.": "discriminator",
    "data.split.training_frames": "footage",
    "data.variations.": "augmentation",
    "data.augmentation.": "augmentation",
    "tracker.": "tracker",
}
"""Question that a setting belongs to, by the beginning of its name. Ablations of one question share a figure."""

MIXED = "earlier approaches"
"""Question of an ablation whose settings belong to several questions."""


@dataclass(frozen=True)
class Ablation:
    """Differences from the base.

    Attributes:
        name: name of the ablation and of its runs.
        file: YAML file of the differences; None for the base itself.
        settings: dotted names of settings of ``lit-reenact fit`` to values.
        tracker: fields of ``TrackerSettings`` to values; if there are any, the clip is tracked again with them.
    """

    name: str
    file: Path | None
    settings: dict[str, Any]
    tracker: dict[str, Any]

    @property
    def changes(self) -> dict[str, Any]:
        """Settings of the training and of the tracker by their dotted names."""
        return {**self.settings, **{f"{TRACKER}.{name}": value for name, value in self.tracker.items()}}

    @property
    def question(self) -> str:
        """Question that the ablation answers; empty for the reference."""
        asked = dict.fromkeys(_question(name) for name in self.changes)
        return next(iter(asked), "") if len(asked) < 2 else MIXED


def _question(name: str) -> str:
    return next((question for start, question in QUESTIONS.items() if name.startswith(start)), name)


def read_ablations(paths: Sequence[Path]) -> list[Ablation]:
    """Read ablation files. The reference comes first, whether one of the files is named after it or not.

    Raises:
        ReenactError: a file is missing, is no YAML of settings, or names an unknown setting of the tracker; two files have one
            name; or the file of the reference changes a setting.
    """
    ablations: dict[str, Ablation] = {REFERENCE: Ablation(REFERENCE, None, {}, {})}
    for path in paths:
        ablation = _read(path)
        known = ablations.get(ablation.name)
        if known is not None and known.file is not None:
            raise ReenactError(
                f"{known.file} and {path} are both named {ablation.name}: rename one, because runs are written under that name"
            )
        if ablation.name == REFERENCE and ablation.changes:
            changes = ", ".join(ablation.changes)
            raise ReenactError(f"{path} changes {changes}, but {REFERENCE} is the base as it is: rename the file")
        ablations[ablation.name] = ablation
    return list(ablations.values())


def _read(path: Path) -> Ablation:
    content = read_yaml(path, "give the YAML files of ablations, such as configs/ablations/*.yaml")
    if not isinstance(content, dict | None) or not isinstance((content or {}).get(TRACKER, {}), dict):
        raise ReenactError(f"{path} holds no settings: an ablation names those that differ from the base, as `model: ...` does")
    settings = dict(content or {})
    tracker = settings.pop(TRACKER, {})
    if tracker and settings:
        raise ReenactError(f"{path} changes both the tracker and {min(settings)}: split it into two ablations")
    unknown = tracker.keys() - {field.name for field in fields(TrackerSettings)}
    if unknown:
        raise ReenactError(f"{path}: the tracker has no setting {min(unknown)}; choose a field of TrackerSettings")
    return Ablation(path.stem, path, dict(flatten(settings)) if settings else {}, tracker)
