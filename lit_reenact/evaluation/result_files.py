"""The numbers of an evaluation as files: ``metrics.json`` and ``frames.csv``."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path

from lit_reenact.core.files import write_json, write_text
from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.intervals import LEVEL, SAMPLES, Estimate


def write_numbers(evaluation: Evaluation, folder: Path) -> None:
    """Write ``metrics.json`` (means and confidence intervals) and ``frames.csv`` (the values of every frame).

    The same frames give the same files, byte for byte.
    """
    results = {
        "target": evaluation.target,
        "origin": evaluation.origin,
        "protocol": evaluation.protocol,
        "frames": [evaluation.frames.start, evaluation.frames.stop],
        "measured": evaluation.counted_frames,
        "size": evaluation.real.shape[1],
        "interval": {"level": LEVEL, "samples": SAMPLES, "block_frames": evaluation.block},
        **({"networks": evaluation.networks} if evaluation.networks else {}),
        "methods": _plain_rows(evaluation.estimates),
        "differences": _plain_rows(evaluation.differences),
        "motion": _plain_row(evaluation.motion),
        "other_motion": _plain_rows(evaluation.other_motion),
        "edits": _plain_rows(evaluation.edits),
        "bent_edits": _plain_rows(evaluation.warped_edits),
    }
    write_json(folder / "metrics.json", results)
    write_text(folder / "frames.csv", _frame_table(evaluation))


def _frame_table(evaluation: Evaluation) -> str:
    """Return a row for every method and frame; a metric that compares two series shows the method's own."""
    names = list(evaluation.values[MODEL])
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["method", "frame", "seconds", *names])
    for method, metrics in evaluation.values.items():
        columns = [metrics[name].reshape(len(evaluation.frames), -1)[:, 0].tolist() for name in names]
        for number, row in zip(evaluation.frames, zip(*columns, strict=True), strict=True):
            cells = ["" if math.isnan(value) else f"{value:.6g}" for value in row]
            writer.writerow([method, number, f"{number / evaluation.fps:.3f}", *cells])
    return table.getvalue()


PlainRow = dict[str, dict[str, float | None]]
"""Metric to its mean and the ends of its interval."""


def _plain_rows(rows: Mapping[str, Mapping[str, Estimate]]) -> dict[str, PlainRow]:
    return {name: _plain_row(row) for name, row in rows.items()}


def _plain_row(row: Mapping[str, Estimate]) -> PlainRow:
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Estimate) -> dict[str, float | None]:
    """Return a value that JSON can hold: None for infinity and NaN."""
    numbers = {"mean": value.value, "low": value.low, "high": value.high}
    return {name: round(number, 6) if math.isfinite(number) else None for name, number in numbers.items()}
