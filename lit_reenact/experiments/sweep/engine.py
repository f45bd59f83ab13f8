"""W&B's own sweep engine, the package ``sweeps``, which proposes trials and stops hopeless ones."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from lit_reenact.core.errors import ReenactError
from lit_reenact.experiments.sweep.definition import Parameters, Sweep

_NOT_INSTALLED = "the package sweeps, which proposes the trials, is not installed: pip install 'lit_reenact[sweeps]'"


def sweeps_package() -> ModuleType:
    """Import the package ``sweeps``.

    Raises:
        ReenactError: the package is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # pydantic's, about how the package uses it
            import sweeps
    except ImportError as error:
        raise ReenactError(_NOT_INSTALLED) from error
    if not hasattr(sweeps, "next_run"):  # a folder of that name is an empty package to Python
        raise ReenactError(_NOT_INSTALLED)
    return sweeps


def propose(sweep: Sweep, trials: Sequence[Any]) -> Parameters | None:
    """Propose the parameters of the next trial; equal trials give equal proposals.

    Args:
        sweep: sweep whose method chooses.
        trials: one ``sweeps.SweepRun`` for each earlier trial.

    Returns:
        None if a grid has no more.

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


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
