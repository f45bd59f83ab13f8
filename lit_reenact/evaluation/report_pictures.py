"""Sections of the report with pictures and curves: sliders, curves over time, error maps, the worst and the best frames."""

from __future__ import annotations

from html import escape
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.evaluation.charts import COLOURS, Line, line_chart
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.frame_metrics import unit
from lit_reenact.evaluation.moments import evaluated_moments, moments_html
from lit_reenact.evaluation.page import SCALE, image, section
from lit_reenact.evaluation.pictures import contact_sheet
from lit_reenact.evaluation.table import METRICS
from lit_reenact.metrics.frames import error_map
from lit_reenact.synthesis.pictures import heat_map

EXTREMES = 3
"""Number of worst frames, and of best ones."""

APART_SECONDS = 0.5
"""Time between two extreme frames; neighbours would show the same."""

CURVES = ("face_l1", "mouth_l1", "eyes_l1", "warped_error")

COLUMNS = 6
"""Number of moments in the picture of all methods."""


def write_grid(evaluation: Evaluation, path: Path) -> None:
    """Write a PNG with a row for the real frames and one for each method; the columns are moments spread over the part."""
    moments = torch.linspace(0, len(evaluation.frames) - 1, COLUMNS).round().long()
    rows = {"real": evaluation.real, **evaluation.outputs}
    contact_sheet({name: frames[moments] for name, frames in rows.items()}, path)


def sliders_section(evaluation: Evaluation) -> str:
    """Return the real frame and the model's over each other, for the worst, the middle and the best frame."""
    order = evaluation.values[MODEL]["face_l1"]
    ranked = order.argsort()[: evaluation.counted_frames].tolist()  # NaN comes last
    chosen = {"worst": ranked[-1], "middle": ranked[len(ranked) // 2], "best": ranked[0]}
    figures = "".join(_slider(evaluation, number, name) for name, number in chosen.items())
    text = (
        "<p>Left of the line is the real frame, right of it the output. Move it by mouse or finger, or with the arrow keys.</p>"
    )
    return section("Real and generated", text, f'<div class="sliders">{figures}</div>')


def _slider(evaluation: Evaluation, number: int, name: str) -> str:
    described = f"frame {evaluation.frames[number]}, the {name} by face L1"
    real = image(evaluation.real[number], f"real, {described}")
    generated = image(evaluation.generated[number], f"output, {described}")
    move = "this.parentNode.style.setProperty('--at', this.value + '%')"
    return (
        f'<figure class="compare"><div class="pair">{real}<div class="over">{generated}</div></div>'
        f'<input type="range" value="50" aria-label="Border between the real and the generated {described}" oninput="{move}">'
        f"<figcaption><span>real</span><span>{described}</span><span>output</span></figcaption></figure>"
    )


def curves_section(evaluation: Evaluation) -> str:
    """Return every method's errors over time."""
    seconds = [number / evaluation.fps for number in evaluation.frames]
    charts = []
    for key in CURVES:
        lines = {
            method: Line(seconds, metrics[key].tolist(), colour)
            for (method, metrics), colour in zip(evaluation.values.items(), cycle(COLOURS), strict=False)
        }
        charts.append(line_chart(f"{METRICS[key].name}, {METRICS[key].unit}", lines, "seconds"))
    return section("Over time", f'<div class="charts">{"".join(charts)}</div>')


def error_maps_section(evaluation: Evaluation) -> str:
    """Return a map of each method's mean error over all frames."""
    figures = "".join(
        f"<figure>{image(heat_map(mean_error(frames, evaluation.real)), f'mean error of {name}')}{escape(name)}</figure>"
        for name, frames in evaluation.outputs.items()
    )
    text = "<p>The photometric error of each pixel, the distance of two colours in RGB, as its mean over all frames.</p>"
    return section("Where the errors are", text, f'<div class="maps">{figures}</div>', SCALE)


def mean_error(generated: Tensor, real: Tensor) -> Tensor:
    """Return the mean photometric error of each pixel over N frames uint8 (N, H, W, 3): (H, W) in levels of 255."""
    total = sum(error_map(unit(a[None]), unit(b[None]))[0].double() for a, b in zip(generated, real, strict=True))
    return torch.as_tensor(total) / len(generated)


def extremes_sections(evaluation: Evaluation) -> list[str]:
    """Return the worst frames and the best ones."""
    return [
        section(
            f"The {name} frames",
            f"<p>By face L1, {order} first.</p>",
            moments_html(evaluated_moments(evaluation, extreme_frames(evaluation, worst=name == "worst"))),
            SCALE,
        )
        for name, order in (("worst", "the largest"), ("best", "the smallest"))
    ]


def extreme_frames(evaluation: Evaluation, worst: bool) -> list[int]:
    """Return indices of the held-out frames with the largest face L1, or the smallest, in this order."""
    return pick_extremes(evaluation.values[MODEL]["face_l1"], EXTREMES, APART_SECONDS * evaluation.fps, largest=worst)


def pick_extremes(values: Tensor, count: int, apart: float, largest: bool) -> list[int]:
    """Return indices of the largest, or smallest, values, the most extreme first; values that are NaN are left out.

    Args:
        values: (N,).
        count: most indices to return.
        apart: smallest distance between two of them.
        largest: whether the largest values are wanted.
    """
    chosen: list[int] = []
    for number in values.argsort(descending=largest, stable=True).tolist():
        if len(chosen) < count and not values[number].isnan() and all(abs(number - other) >= apart for other in chosen):
            chosen.append(number)
    return chosen
