"""The file of a benchmark: methods, clips and protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.paths import find_shipped
from lit_reenact.core.split import LAST_FIFTH, PROTOCOLS, ProtocolName
from lit_reenact.evaluation.baseline_frames import BASELINES
from lit_reenact.experiments.yaml_file import read_yaml
from lit_reenact.tracking.people import read_people

KINDS = ("config", "baseline", "frames")
"""Keys of a method, of which it has one."""

OWN_FOLDERS = ("videos", "measurements")
"""Folders of a benchmark beside those of its runs."""


@dataclass(frozen=True)
class Method:
    """A method to compare: one of a configuration to train, a baseline, or folders of another system's frames.

    Attributes:
        name: name in the tables and of the method's folder.
        config: configuration file; None for a method that is not trained.
        changes: file of differences from the configuration, in the form of an ablation; None for the configuration as it is.
        baseline: name of a baseline; empty for others.
        frames: path of the folder of frames, in which ``{clip}`` stands for a clip's name; empty for others.
    """

    name: str
    config: Path | None = None
    changes: Path | None = None
    baseline: str = ""
    frames: str = ""

    def folder(self, clip: str) -> Path:
        """Return the folder of another system's frames of a clip."""
        return Path(self.frames.replace("{clip}", clip))


@dataclass(frozen=True)
class Benchmark:
    """Content of a benchmark's file.

    Attributes:
        file: the file.
        clips: name of each clip to the folder of its track.
        methods: the methods in the order of the table; the first is the one that the others are compared with.
        protocol: name of the split.
        seeds: trainings of each configuration on each clip.
        steps: batch steps of each training; None for those of its configuration.
        size: side of the frames that are compared, pixels.
    """

    file: Path
    clips: Mapping[str, str]
    methods: Sequence[Method]
    protocol: ProtocolName = LAST_FIFTH
    seeds: int = 3
    steps: int | None = None
    size: int = 256

    @property
    def trained(self) -> list[Method]:
        """Methods that are trained."""
        return [method for method in self.methods if method.config is not None]


def read_benchmark(path: Path) -> Benchmark:
    """Read the file of a benchmark.

    Args:
        path: YAML file; the paths in it are relative to the working folder, as those of a command are.

    Raises:
        ReenactError: the file cannot be read, has an unknown key, lacks clips or methods, or a value cannot be used.
    """
    content = _parse(path)
    unknown = sorted(content.keys() - {"clips", "methods", "protocol", "seeds", "steps", "size"})
    if unknown:
        raise ReenactError(
            f"{path}: there is no setting {unknown[0]}; a benchmark has clips, methods, protocol, seeds, steps, size"
        )
    clips, methods = content.get("clips"), content.get("methods")
    if not isinstance(clips, list) or not clips or not all(isinstance(clip, str) for clip in clips):
        raise ReenactError(f"{path} names no clips: give `clips:` a list of folders that `lit-reenact track` wrote")
    if not isinstance(methods, dict) or not methods:
        raise ReenactError(f"{path} names no methods: give `methods:` names, each with one of {', '.join(KINDS)}")
    protocol = content.get("protocol", LAST_FIFTH)
    if protocol not in PROTOCOLS:
        raise ReenactError(f"{path}: there is no protocol {protocol}; choose one of {', '.join(PROTOCOLS)}")
    numbers = {
        name: _whole_number(path, name, content[name]) for name in ("seeds", "steps", "size") if content.get(name) is not None
    }
    read = [_method(path, str(name), settings) for name, settings in methods.items()]
    for method in read:
        _refuse_other_protocol(path, method, protocol)
    people = read_people(clips)
    taken = sorted(people.keys() & {*OWN_FOLDERS})
    if taken:
        raise ReenactError(
            f"{path}: a clip cannot be named {taken[0]}, as a folder of the benchmark is: rename {people[taken[0]]}"
        )
    return Benchmark(path, people, read, protocol, **numbers)


def _parse(path: Path) -> dict[str, Any]:
    content = read_yaml(path, "give the file of a benchmark, such as configs/benchmarks/clips.yaml", _UniqueKeys)
    if not isinstance(content, dict):
        raise ReenactError(f"{path} holds no benchmark: it names clips and methods, as configs/benchmarks/clips.yaml does")
    return content


class _UniqueKeys(yaml.SafeLoader):
    """Reads YAML and refuses a key that is given twice, of which the usual loader silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _whole_number(path: Path, name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ReenactError(f"{path}: {name} is {value!r}, but must be a whole number from 1")
    return value


def _method(path: Path, name: str, settings: object) -> Method:
    where = f"{path}, method {name}"
    if not name or "/" in name or name.startswith(".") or name in OWN_FOLDERS:
        folders = " or ".join(OWN_FOLDERS)
        raise ReenactError(
            f"{where}: its runs are written under its name, so it cannot hold a slash, begin with a dot or be {folders}"
        )
    kinds = [kind for kind in KINDS if isinstance(settings, dict) and kind in settings]
    if not isinstance(settings, dict) or len(kinds) != 1:
        raise ReenactError(f"{where}: give it one of {', '.join(KINDS)}")
    (kind,) = kinds
    unknown = sorted(settings.keys() - {kind, *(["changes"] if kind == "config" else [])})
    if unknown:
        raise ReenactError(f"{where}: there is no setting {unknown[0]} beside {kind}")
    value = str(settings[kind])
    if kind == "baseline" and value not in BASELINES:
        raise ReenactError(f"{where}: there is no baseline {value!r}; choose one of {', '.join(BASELINES)}")
    if kind == "frames" and "{clip}" not in value:
        raise ReenactError(f"{where}: write {{clip}} into frames {value}, where the name of each clip belongs")
    if kind != "config":
        return Method(name, baseline=value) if kind == "baseline" else Method(name, frames=value)
    return Method(name, _config_file(where, value), _config_file(where, settings["changes"]) if "changes" in settings else None)


def _config_file(where: str, value: object) -> Path:
    file = find_shipped(str(value))
    if not file.is_file():
        raise ReenactError(f"{where}: there is no configuration {value}")
    return file


def _refuse_other_protocol(path: Path, method: Method, protocol: str) -> None:
    """Refuse a configuration that names a split of its own."""
    for file in (method.config, method.changes):
        content = None if file is None else read_yaml(file, f"method {method.name} of {path} needs it")
        data = content.get("data") if isinstance(content, dict) else None
        split = data.get("split") if isinstance(data, dict) else None
        own = split.get("protocol", protocol) if isinstance(split, dict) else protocol
        if own != protocol or (isinstance(split, dict) and "fractions" in split):
            raise ReenactError(
                f"{path} compares by protocol {protocol}, but {file} of method {method.name} sets data.split: leave it out there"
            )
