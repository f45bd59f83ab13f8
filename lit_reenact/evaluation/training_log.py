"""Training curves from the metrics.csv files of Lightning's CSVLogger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lit_reenact.training.run_folder import joined_curves

Curve = tuple[list[float], list[float]]
"""Batch steps and the values logged there."""


def read_training_log(paths: Sequence[Path]) -> dict[str, Curve]:
    """Return every logged name with its curve, losses first; the files of a resumed run are read as one."""
    curves = joined_curves(paths)
    return {name: ([float(step) for step in curve], list(curve.values())) for name, curve in curves.items() if len(curve) > 1}
