"""Section of the report about the distance to the nearest key frame: distributions as curves, and a table."""

from __future__ import annotations

from itertools import cycle

import torch
from torch import Tensor

from lit_reenact.evaluation.charts import COLOURS, Line, line_chart
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.page import section
from lit_reenact.evaluation.reference_distance import ReferenceDistance
from lit_reenact.evaluation.table import number, word_table

TEXT = (
    "<p>Two frames are as far from each other as their landmarks and irises in the picture (root mean square), where the "
    "openings of lids and lips count as well. A training sample is shown no key frame within {gap:g} s of its own frame, so that "
    "training is no easier than what comes afterwards: its curve should lie beside or below those of held-out frames and of "
    "drivers.</p>"
)

SHARES = (0.5, 0.9, 0.99)


def distance_sections(evaluation: Evaluation) -> list[str]:
    """Return curves and table of the distances to key frames; nothing for a network without key frames."""
    distance = evaluation.reference_distance
    if distance is None:
        return []
    words = {name: name.replace("_", " ") for name in distance.distances}
    lines = {
        words[name]: _cumulative(values, colour)
        for (name, values), colour in zip(distance.distances.items(), cycle(COLOURS), strict=False)
    }
    chart = line_chart("Frames within a distance of a key frame, %", lines, "pixels of the clip")
    plot = f'<div style="max-width:560px">{chart}</div>'
    return [section("How far are the key frames?", TEXT.format(gap=distance.gap), plot, _table(distance))]


def _table(distance: ReferenceDistance) -> str:
    head = ["", "frames", "median", "90 %", "99 %", "beyond 99 % of the training frames"]
    rows = [head]
    for name, values in distance.distances.items():
        quantiles = [number(float(values.quantile(share, interpolation="lower")), 1) for share in SHARES]
        rows.append([name.replace("_", " "), str(len(values)), *quantiles, f"{100 * distance.beyond[name]:.1f} %"])
    return word_table(rows)


def _cumulative(values: Tensor, colour: str) -> Line:
    """Return the share of frames, in %, up to each distance; frames without a key frame are counted, but lie nowhere."""
    near = values.sort().values
    share = 100 * (torch.arange(len(near)) + 1) / len(near)
    known = near.isfinite()
    return Line(near[known].tolist(), share[known].tolist(), colour)
