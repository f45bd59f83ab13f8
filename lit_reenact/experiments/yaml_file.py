"""YAML files that a user wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lit_reenact.core.errors import ReenactError


def read_yaml(path: Path, advice: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """Read a YAML file as plain values.

    Args:
        path: the file.
        advice: what to give instead of a file that cannot be read, for the message.
        loader: loader without code execution; another one may refuse more.

    Raises:
        ReenactError: the file cannot be read, or is no YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ReenactError(f"{path} cannot be read: {advice}") from error
    except yaml.YAMLError as error:
        raise ReenactError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
