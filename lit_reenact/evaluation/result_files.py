"""The numbers of an evaluation as files: ``metrics.json`` and ``frames.csv``."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import write_json, write_text
from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.intervals import LEVEL, SAMPLES, Estimate
from lit_reenact.evaluation.pixel_origin import PixelOrigin
from lit_reenact.evaluation.references import References


def write_numbers(evaluation: Evaluation, folder: Path) -> None:
    """Write ``metrics.json`` (means and confidence intervals) and ``frames.csv`` (the values of every frame).

    The same frames give the same files, byte for byte.
    """
    distance = evaluation.reference_distance
    results = {
        "target": evaluation.target,
        "origin": evaluation.origin,
        "protocol": evaluation.protocol,
        "matted": evaluation.matted,
        "frames": [evaluation.frames.start, evaluation.frames.stop],
        "measured": evaluation.counted_frames,
        "size": evaluation.real.shape[1],
        "interval": {"level": LEVEL, "samples": SAMPLES, "block_frames": evaluation.block},
        **({"networks": evaluation.networks} if evaluation.networks else {}),
        **_plain_references(evaluation.references),
        **_plain_origin(evaluation.pixel_origin),
        **({} if distance is None else {"reference_distance": distance.to_dict()}),
        "methods": _plain_rows(evaluation.estimates),
        "differences": _plain_rows(evaluation.differences),
        "motion": _plain_row(evaluation.motion),
        "other_motion": _plain_rows(evaluation.other_motion),
        "edits": _plain_rows(evaluation.edits),
        "bent_edits": _plain_rows(evaluation.warped_edits),
    }
    write_json(folder / "metrics.json", results)
    write_text(folder / "frames.csv", _frame_table(evaluation))


def refuse_other_kind(folder: Path, matted: bool) -> None:
    """Refuse to write numbers of the person on white into a folder of numbers of whole frames, or the other way round.

    Args:
        folder: folder that the numbers are to be written to.
        matted: whether they are of the person on white.

    Raises:
        ReenactError: the folder's ``metrics.json`` is of the other kind.
    """
    file = folder / "metrics.json"
    try:
        before = bool(json.loads(file.read_text(encoding="utf-8")).get("matted", False))
    except (OSError, ValueError, AttributeError):
        return
    if before != matted:
        kinds = ("whole frames", "the person on white (--matted)")
        raise ReenactError(
            f"{file} holds numbers of {kinds[before]}, these are of {kinds[matted]}, and the two are not comparable: choose "
            "another folder with -o"
        )


def _plain_references(references: References | None) -> dict[str, Any]:
    if references is None:
        return {}
    scale = {name: [round(value, 6) for value in values] for name, values in references.identity.items()}
    return {"noise_floor": {name: round(value, 6) for name, value in references.noise_floor.items()}, "identity_scale": scale}


def _plain_origin(origin: PixelOrigin | None) -> dict[str, Any]:
    if origin is None:
        return {}
    shares = {name: round(share, 6) if math.isfinite(share) else None for name, share in origin.shares.items()}
    return {"pixel_origin": {"frames": origin.frames, "shares": shares}}


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
