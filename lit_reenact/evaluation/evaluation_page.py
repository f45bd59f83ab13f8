"""The page of an evaluation: the table with intervals, curves over time, the worst and the best frames; one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.files import write_text
from lit_reenact.evaluation.charts import Line, line_chart
from lit_reenact.evaluation.edit_fidelity import edits_rows
from lit_reenact.evaluation.evaluate import MODEL, Evaluation
from lit_reenact.evaluation.heldout import unit
from lit_reenact.evaluation.page import image, page, section
from lit_reenact.evaluation.pictures import contact_sheet
from lit_reenact.evaluation.report import AI_NOTICE
from lit_reenact.evaluation.table import METRICS, differences_table, metrics_table, motion_table, verdict, word_table
from lit_reenact.metrics.frames import MS_SSIM_SIDE, error_map
from lit_reenact.provenance import code_version
from lit_reenact.synthesis import error_picture

SHOWN = 3
"""Worst frames, and best ones."""

APART_SECONDS = 0.5
"""Between two of them: neighbours would show the same."""

CURVES = ("face_l1", "mouth_l1", "eyes_l1", "warped_error")
COLOURS = ("var(--output)", "var(--third)", "#2a9d6f", "#b0457b", "var(--driving)", "#1f7a99", "#8a6d3b")

SCALE = '<div class="scale">error: 0 <i></i> 64 of 255 levels or more</div>'

COLUMNS = 6
"""Moments in the picture of all methods."""

FULL_SCALE = 64
"""Levels of 255 from which on an error map is white."""


def write_page(evaluation: Evaluation, path: Path) -> None:
    """Write the page; it needs no other file and makes no request."""
    title = f"{evaluation.target}: held-out frames"
    parts = [_header(title, evaluation), _numbers(evaluation), _sliders(evaluation), _motion(evaluation), *_edits(evaluation)]
    write_text(path, page(title, [*parts, _curves(evaluation), _maps(evaluation), *_pictures(evaluation), _facts(evaluation)]))


def write_grid(evaluation: Evaluation, path: Path) -> None:
    """Write a PNG with a row for the real frames and one for each method, the columns being moments spread over the part."""
    moments = torch.linspace(0, len(evaluation.frames) - 1, COLUMNS).round().long()
    contact_sheet({"real": evaluation.real[moments], **{name: made[moments] for name, made in evaluation.outputs.items()}}, path)


def extremes(values: Tensor, count: int, apart: float, largest: bool) -> list[int]:
    """Numbers of the frames with the largest, or smallest, values (N,), the most extreme first, at least ``apart`` frames from
    each other; frames without a value (NaN) never.
    """
    chosen: list[int] = []
    for number in values.argsort(descending=largest, stable=True).tolist():
        if len(chosen) < count and not values[number].isnan() and all(abs(number - other) >= apart for other in chosen):
            chosen.append(number)
    return chosen


def _header(title: str, evaluation: Evaluation) -> str:
    frames = f"{evaluation.frames.start} to {evaluation.frames.stop - 1}"
    text = (
        f"The end of the video, frames {frames}, was kept from training. Here these frames come from "
        f"{escape(evaluation.origin)}, and each is compared with the real one."
    )
    return (
        f'<header><span class="notice">AI-generated</span><h1>{escape(title)}</h1><p>{AI_NOTICE}</p>'
        f'<p class="quiet">{text}</p></header>'
    )


def _numbers(evaluation: Evaluation) -> str:
    means = {method: {name: value.value for name, value in row.items()} for method, row in evaluation.estimates.items()}
    note = (
        '<p class="quiet">Small numbers: the interval that holds the mean with 95 % probability, from a bootstrap over blocks of '
        f"{evaluation.block} successive frames. It says how sure the mean over such frames is, not how another training would "
        "end. Face, mouth and eyes are where the tracked face model shows them. The nearest frame is the training frame whose "
        "tracked face lies nearest to the wanted one; warped, its face is bent to lie where the wanted one does; face rendered, "
        "the wanted expression is rendered over it, after Face2Face. The mean frame is the mean of all training frames. "
        "Flow-warped error and flicker judge steadiness alone: a still picture does well there, so read them beside the "
        "others.</p>"
    )
    result = f'<p class="verdict">{escape(verdict(means, evaluation.measured))}</p>'
    ahead = (
        "<h3>How far the model is ahead</h3>"
        '<p class="quiet">The model less the method of the column, over the same frames taken in pairs, with the 95 % interval. '
        "Marked where the model is better by more than that; what is not marked is open, or lost.</p>"
    )
    table = metrics_table(means, evaluation.estimates)
    parts = (result, table, note, *_missing(evaluation), ahead, differences_table(evaluation.differences))
    return section("Against the real frames", *parts)


def _missing(evaluation: Evaluation) -> list[str]:
    """What the table lacks, and why."""
    measured, reasons = evaluation.estimates[MODEL], []
    if "ms_ssim" not in measured:
        reasons.append(f"MS-SSIM is left out: it needs images of {MS_SSIM_SIDE} pixels or more.")
    if "lpips" not in measured:
        reasons.append("LPIPS is left out: the weights of its network are not on this machine.")
    if "fid" in measured:
        reasons.append("FID has no interval, and few frames make it too large: it compares methods on these very frames alone.")
    return [f'<p class="quiet">{reason}</p>' for reason in reasons]


def _motion(evaluation: Evaluation) -> str:
    if not evaluation.motion:
        text = "The output was not tracked again: add --retrack to find out how its motion follows."
        return section("Does the motion follow?", f'<p class="quiet">{text}</p>')
    text = (
        "<p>The real frames and the made ones were tracked once more from their pixels alone, as one video, so that what the "
        "tracker takes for a frontal pose or a closed mouth is the same for both. In the mean frame nothing moves.</p>"
    )
    methods = {MODEL: evaluation.motion, **evaluation.other_motion}
    return section("Does the motion follow?", text, motion_table(methods))


def _edits(evaluation: Evaluation) -> list[str]:
    if not evaluation.edits:
        return []
    text = (
        "<p>The frames that no training saw were made once without an edit and once with each of these, held from beginning to "
        "end, and tracked again from their pixels alone as one video. Angles and blinks: how much more than without the edit; "
        "expression: how many times as strong. The second column tells of a closed eye how far it then is shut.</p>"
    )
    bent = (
        "<h3>The same without a network</h3>"
        '<p class="quiet">Here the real frames are bent by the face mesh to show the edits: a tracker takes extreme faces for '
        "less extreme ones, so an exaggeration that is shown in full is not found in full. It is no upper bound: an eye that is "
        "bent shut still shows a streak of its ball.</p>"
    )
    made, real = (word_table(edits_rows(found)) for found in (evaluation.edits, evaluation.bent_edits))
    return [section("Do edits move what they name?", text, made, bent, real)]


def _sliders(evaluation: Evaluation) -> str:
    """The real frame and the model's over each other, for the worst, the middle and the best frame."""
    order = evaluation.values[MODEL]["face_l1"]
    ranked = order.argsort()[: evaluation.measured].tolist()  # NaN comes last
    chosen = {"worst": ranked[-1], "middle": ranked[len(ranked) // 2], "best": ranked[0]}
    figures = "".join(_slider(evaluation, number, name) for name, number in chosen.items())
    text = (
        "<p>Left of the line is the real frame, right of it the output. Move it by mouse or finger, or with the arrow keys.</p>"
    )
    return section("Real and made", text, f'<div class="sliders">{figures}</div>')


def _slider(evaluation: Evaluation, number: int, name: str) -> str:
    frame = evaluation.frames[number]
    what = f"frame {frame}, the {name} by face L1"
    real, made = image(evaluation.real[number], f"real, {what}"), image(evaluation.made[number], f"output, {what}")
    move = "this.parentNode.style.setProperty('--at', this.value + '%')"
    return (
        f'<figure class="compare"><div class="pair">{real}<div class="over">{made}</div></div>'
        f'<input type="range" value="50" aria-label="Border between the real and the made {what}" oninput="{move}">'
        f"<figcaption><span>real</span><span>{what}</span><span>output</span></figcaption></figure>"
    )


def _maps(evaluation: Evaluation) -> str:
    """Where each method errs, over all frames."""
    figures = "".join(
        f"<figure>{image(heat(mean_error(made, evaluation.real)), f'mean error of {name}')}{escape(name)}</figure>"
        for name, made in evaluation.outputs.items()
    )
    text = "<p>The photometric error of each pixel, the distance of two colours in RGB, as its mean over all frames.</p>"
    return section("Where the errors are", text, f'<div class="maps">{figures}</div>', SCALE)


def mean_error(made: Tensor, real: Tensor) -> Tensor:
    """Mean over N frames uint8 (N, H, W, 3) of the photometric error of each pixel, (H, W) in levels of 255."""
    total = sum(error_map(unit(a[None]), unit(b[None]))[0].double() for a, b in zip(made, real, strict=True))
    return torch.as_tensor(total) / len(made)


def heat(levels: Tensor) -> Tensor:
    """A map (H, W) as colours uint8 (H, W, 3): black is 0, then red and yellow, white ``FULL_SCALE`` or more."""
    channels = [(3 * levels / FULL_SCALE - shift).clamp(0, 1) for shift in range(3)]
    return (torch.stack(channels, -1) * 255).to(torch.uint8)


def _curves(evaluation: Evaluation) -> str:
    seconds = [number / evaluation.fps for number in evaluation.frames]
    charts = [
        line_chart(
            f"{METRICS[key].name}, {METRICS[key].unit}",
            {
                method: Line(seconds, metrics[key].tolist(), colour)
                for (method, metrics), colour in zip(evaluation.values.items(), cycle(COLOURS), strict=False)
            },
            "seconds",
        )
        for key in CURVES
    ]
    return section("Over time", f'<div class="charts">{"".join(charts)}</div>')


def _pictures(evaluation: Evaluation) -> list[str]:
    errors = evaluation.values[MODEL]["face_l1"]
    apart = APART_SECONDS * evaluation.fps
    return [
        section(f"The {name} frames", f"<p>By face L1, {order} first.</p>", _moments(evaluation, chosen), SCALE)
        for name, order, chosen in (
            ("worst", "the largest", extremes(errors, SHOWN, apart, largest=True)),
            ("best", "the smallest", extremes(errors, SHOWN, apart, largest=False)),
        )
    ]


def _moments(evaluation: Evaluation, numbers: Sequence[int]) -> str:
    figures = []
    for number in numbers:
        real, made = evaluation.real[number], evaluation.made[number]
        pictures = {"real": real, "output": made, "error": error_picture(made[None], real[None])[0]}
        frame = evaluation.frames[number]
        caption = (
            f"frame {frame}, {frame / evaluation.fps:.1f} s: {float(evaluation.values[MODEL]['face_l1'][number]):.1f} levels"
        )
        cells = "".join(f"<div>{image(picture, f'{name}, {caption}')}{name}</div>" for name, picture in pictures.items())
        figures.append(f'<figure class="moment"><figcaption>{caption}</figcaption>{cells}</figure>')
    return f'<div class="moments">{"".join(figures)}</div>'


def _facts(evaluation: Evaluation) -> str:
    size = evaluation.real.shape[1]
    facts = {
        "target": evaluation.target,
        "made by": evaluation.origin,
        "frames": f"{len(evaluation.frames)} of {size}x{size} pixels, {evaluation.measured} with a known face count",
        **{f"network of {METRICS[metric].name}": file for metric, file in evaluation.networks.items()},
        "software": f"lit_reenact {code_version()}",
    }
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return section("This evaluation", f'<dl class="facts">{items}</dl>')
