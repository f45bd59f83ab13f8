"""Groups of settings as plain values, in configurations and checkpoints, and the names that settings had in earlier versions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lit_reenact.core.split import SplitSettings
from lit_reenact.losses.settings import LossSettings
from lit_reenact.networks.settings import DiscriminatorSettings, GeneratorSettings, InputSettings


@dataclass(frozen=True)
class OptimizerSettings:
    """Steps of Adam, which trains both networks.

    Attributes:
        learning_rate: step size; the callback ``LearningRateSchedule`` lowers it over time.
        beta1: share of the running mean of gradients that a step keeps, in [0, 1).
        clip_norm: longest gradient of each network; a longer one is shortened to it. 0 does not clip.
        micro_batches: number of parts of a batch that run one after the other, for large batches in little memory. Gradients
            add up to that of the whole batch, except for what looks across a batch: batch norm, and the sizes of face regions.
    """

    learning_rate: float = 2e-4
    beta1: float = 0.5
    clip_norm: float = 0.0
    micro_batches: int = 1


GROUPS = {
    "inputs": InputSettings,
    "generator": GeneratorSettings,
    "discriminator": DiscriminatorSettings,
    "losses": LossSettings,
    "optimizer": OptimizerSettings,
}
"""Arguments of ``ReenactModule`` that are groups of settings."""

RENAMED = {
    **{
        f"{part}.{name}": f"model.inputs.{name}"
        for part in ("model", "data", "data.inputs")
        for name in ("conditioning", "image_size", "window", "placement", "stride")
    },
    **{f"model.{name}": f"model.generator.{name}" for name in ("channels", "levels", "max_channels", "norm", "dropout", "head")},
    **{f"model.discriminator_{name}": f"model.discriminator.{name}" for name in ("channels", "layers", "norm")},
    **{
        f"model.lambda_{name}": f"model.losses.{name}"
        for name in ("adversarial", "feature_matching", "r1", "l1", "face_l1", "eyes_l1", "mouth_l1", "lpips", "temporal")
    },
    "model.game": "model.losses.gan_loss",
    "model.lpips_backbone": "model.losses.lpips_backbone",
    **{f"model.{name}": f"model.optimizer.{name}" for name in ("learning_rate", "beta1", "clip_norm", "micro_batches")},
    **{f"data.{name}": f"data.split.{name}" for name in ("fractions", "training_frames")},
    **{f"data.{name}": f"data.loading.{name}" for name in ("workers", "run_length", "rendering", "frame_cache_gib", "flow")},
}
"""Old dotted name of a setting to the one that took its place; ``data.inputs`` is linked to ``model.inputs``."""


RETIRED_BACKBONES = ("auto", "untrained")
"""Backbones of LPIPS that checkpoints of earlier versions name, from before the weights of ``alex`` came with the package."""


def flatten(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dictionaries as (dotted key, value)."""
    if isinstance(config, dict) and config:
        for key, value in config.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, config


def nest(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested dictionaries from dotted keys, the inverse of ``flatten``."""
    nested: dict[str, Any] = {}
    for key, value in leaves.items():
        *groups, name = key.split(".")
        place = nested
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = value
    return nested


@dataclass(frozen=True)
class Difference:
    """A setting that two runs have with different values.

    Attributes:
        name: dotted name.
        before: plain value of the first run; None where it has none.
        now: plain value of the second run; None where it has none.
    """

    name: str
    before: object
    now: object


def first_difference(before: Mapping[str, Any], now: Mapping[str, Any], free: Collection[str] = ()) -> Difference | None:
    """Compare the settings of two runs.

    Args:
        before: nested settings of the first run, as plain values.
        now: nested settings of the second run.
        free: dotted names that may differ.

    Returns:
        The first difference in the order of the names, or None.
    """
    old, new = dict(flatten(dict(before))), dict(flatten(dict(now)))
    for name in sorted(old.keys() | new.keys()):
        if name not in free and _listed(old.get(name)) != _listed(new.get(name)):
            return Difference(name, _listed(old.get(name)), _listed(new.get(name)))
    return None


def _listed(value: object) -> object:
    """Return a tuple as the list that YAML makes of it."""
    return list(value) if isinstance(value, tuple) else value


def module_settings(hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``ReenactModule`` that a checkpoint holds, whichever version of this project wrote it.

    Args:
        hyper_parameters: plain values, in groups or with the flat names of earlier versions.

    Raises:
        TypeError: a group has an unknown setting.
    """
    own = {name: value for name, value in hyper_parameters.items() if not name.startswith("_")}  # the others are Lightning's
    groups = _with_new_names({"model": own}).get("model", {})
    if groups.get("losses", {}).get("lpips_backbone") in RETIRED_BACKBONES:
        groups["losses"]["lpips_backbone"] = "alex"
    return {name: GROUPS[name](**value) if name in GROUPS else value for name, value in groups.items()}


def split_settings(hyper_parameters: Mapping[str, Any]) -> SplitSettings:
    """Return the split of the clips that a checkpoint was trained with, whichever version of this project wrote it.

    Args:
        hyper_parameters: those of the data module, ``checkpoint["datamodule_hyper_parameters"]``; may be empty.
    """
    settings = _with_new_names({"data": dict(hyper_parameters)}).get("data")
    return SplitSettings(**(settings or {}).get("split", {}))


def _with_new_names(settings: dict[str, Any]) -> dict[str, Any]:
    return nest({RENAMED.get(key, key): value for key, value in flatten(settings)})
