"""What an ablation is: a file of differences from a base configuration, and a training of it for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from lit_reenact.core.errors import ReenactError
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.training.run_folder import RunFolder, flatten

REFERENCE = "full"
"""The ablation without a difference, which the others are compared with."""

TRACKER = "tracker"
"""The part of an ablation file that holds settings of the tracker; all others are those of ``lit-reenact fit``."""

QUESTIONS = {
    "model.conditioning": "conditioning",
    "model.window": "window",
    "model.placement": "window",
    "model.stride": "window",
    "model.lambda_": "losses",
    "model.discriminator_": "discriminator",
    "data.training_frames": "footage",
    "data.variations.": "augmentation",
    "data.augmentation.": "augmentation",
    "tracker.": "tracker",
}
"""What an ablation asks for, by how the names of its settings begin. They are told together, in one figure."""

MIXED = "earlier approaches"
"""Of an ablation that changes several of these at once."""


@dataclass(frozen=True)
class Ablation:
    """Differences from the base.

    Attributes:
        name: of its runs.
        file: where it stands; None for the base itself.
        settings: dotted names, as those of ``lit-reenact fit``, to values.
        tracker: fields of ``TrackerSettings`` to values; if there are any, the clip is tracked again with them.
    """

    name: str
    file: Path | None
    settings: dict[str, Any]
    tracker: dict[str, Any]

    @property
    def changes(self) -> dict[str, Any]:
        """Both kinds of settings by their dotted names."""
        return {**self.settings, **{f"{TRACKER}.{name}": value for name, value in self.tracker.items()}}

    @property
    def question(self) -> str:
        """What it asks for; nothing for the reference."""
        asked = dict.fromkeys(_question(name) for name in self.changes)
        return next(iter(asked), "") if len(asked) < 2 else MIXED


def _question(name: str) -> str:
    return next((question for start, question in QUESTIONS.items() if name.startswith(start)), name)


def read_ablations(paths: Sequence[Path]) -> list[Ablation]:
    """The ablations of some files, the reference first, whether it is among them or not.

    Raises:
        ReenactError: a file is missing, no YAML of settings, or names an unknown setting of the tracker; or two have one name.
    """
    found: dict[str, Ablation] = {REFERENCE: Ablation(REFERENCE, None, {}, {})}
    for path in paths:
        one = _read(path)
        known = found.get(one.name)
        if known is not None and known.file is not None:
            raise ReenactError(
                f"{known.file} and {path} are both named {one.name}: rename one, for its runs are written under it"
            )
        if one.name == REFERENCE and one.changes:
            raise ReenactError(f"{path} changes {', '.join(one.changes)}, but {REFERENCE} is the base as it is: rename the file")
        found[one.name] = one
    return list(found.values())


def _read(path: Path) -> Ablation:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ReenactError(
            f"{path} cannot be read: give the YAML files of ablations, such as configs/ablations/*.yaml"
        ) from error
    except yaml.YAMLError as error:
        raise ReenactError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict | None) or not isinstance((content or {}).get(TRACKER, {}), dict):
        raise ReenactError(f"{path} holds no settings: an ablation names those that differ from the base, as `model: ...` does")
    settings = dict(content or {})
    tracker = settings.pop(TRACKER, {})
    if tracker and settings:
        raise ReenactError(f"{path} changes both the tracker and {min(settings)}: make two ablations of it")
    unknown = tracker.keys() - {field.name for field in fields(TrackerSettings)}
    if unknown:
        raise ReenactError(f"{path}: the tracker has no setting {min(unknown)}; it has those of TrackerSettings")
    return Ablation(path.stem, path, dict(flatten(settings)) if settings else {}, tracker)


@dataclass(frozen=True)
class Study:
    """Ablations of one base on one clip.

    Attributes:
        base: configuration file.
        track: as ``--track`` names it.
        output: folder of all runs, tracks, tables and figures.
        seeds: how many trainings there are of each ablation.
        steps: batch steps of each, instead of the base's.
        ablations: the reference first.
    """

    base: Path
    track: str
    output: Path
    seeds: int
    steps: int | None
    ablations: Sequence[Ablation]

    @property
    def members(self) -> list[tuple[Ablation, int]]:
        """Every ablation with every seed. One seed of all comes before the next, so that early results can be compared."""
        return [(ablation, seed) for seed in range(self.seeds) for ablation in self.ablations]

    def run(self, ablation: Ablation, seed: int) -> RunFolder:
        """Where a training lives."""
        return RunFolder(self.output / ablation.name / f"seed-{seed}")

    def own_track(self, ablation: Ablation) -> Path:
        """Where the clip is tracked again for an ablation of the tracker."""
        return self.output / "tracks" / ablation.name

    def words(self, ablation: Ablation, seed: int, track: str | None = None) -> list[str]:
        """The arguments of ``lit-reenact fit`` for a training.

        Args:
            ablation: what.
            seed: with which.
            track: another than the study's.
        """
        words = ["--config", str(self.base)]
        if ablation.file is not None and not ablation.tracker:
            words += ["--config", str(ablation.file)]
        words += ["--track", track or self.track, "--name", ablation.name, "--output", str(self.output)]
        words += ["--seed_everything", str(seed), "--trainer.enable_progress_bar", "false"]
        return words if self.steps is None else [*words, "--budget.max_batch_steps", str(self.steps)]
