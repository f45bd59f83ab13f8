"""Reads the metrics.csv files of Lightning's CSVLogger."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

COUNTER = "batch_step"
NO_CURVE = {COUNTER, "step", "epoch"}

Curve = tuple[list[float], list[float]]
"""Batch steps and the values logged there."""


def read_training_log(paths: Sequence[Path]) -> dict[str, Curve]:
    """Every logged name with its curve, losses first; the files of a resumed run are read one after the other.

    Rows of validation carry no batch step of their own: they belong to the last one before them.
    """
    curves: dict[str, Curve] = {}
    for path in paths:
        batch_step = 0.0
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                batch_step = float(row.get(COUNTER) or batch_step)
                for name, value in row.items():
                    if name not in NO_CURVE and value:
                        steps, values = curves.setdefault(name, ([], []))
                        steps.append(batch_step)
                        values.append(float(value))
    return {name: curve for name, curve in sorted(curves.items()) if len(curve[0]) > 1}
