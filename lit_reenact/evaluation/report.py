"""The page that a run shows to others: pictures, the table against the baselines, motion, training, facts; one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from torch import Tensor

from lit_reenact.evaluation.charts import Line, line_chart
from lit_reenact.evaluation.motion import Motion
from lit_reenact.evaluation.page import image, page, section, video
from lit_reenact.evaluation.table import METRICS, Methods, best, metrics_table, number, verdict
from lit_reenact.evaluation.training_log import read_training_log

EMBEDDED_BYTES = 3_000_000

AI_NOTICE = (
    "Every picture and video marked “output” on this page was made by a neural network. It shows nothing that the person "
    "really did or said. Each video says so in its metadata. Make such videos only of people who agreed to it."
)
WHAT_IT_IS = (
    "The target person is given the head pose, expression and gaze of a driving person. Both videos are tracked with a 3D face "
    "model; its renderings condition a network that was trained on the target's video alone."
)

MOTION_NAMES = {
    "yaw": "Head yaw",
    "pitch": "Head pitch",
    "roll": "Head roll",
    "mouth_opening": "Mouth opening",
    "eye_opening": "Eye opening (blinks)",
    "gaze_yaw": "Gaze, left and right",
    "gaze_pitch": "Gaze, up and down",
}


@dataclass(frozen=True)
class Moment:
    """One point in time of a sheet.

    Attributes:
        caption: e.g. "2.4 s".
        pictures: uint8 (H, W, 3) by their names, in the order shown.
    """

    caption: str
    pictures: Mapping[str, Tensor]


@dataclass(frozen=True)
class Report:
    """All that the page shows; every text is escaped when it is written.

    Attributes:
        title: e.g. "d9 driven by d14".
        reenactment: moments with driving | conditioning | output.
        self_reenactment: held-out moments with input | conditioning | output | error.
        metrics: method to metric to value as ``heldout.compare`` gives them; the model comes first.
        test_frames: how many held-out frames the metrics are means over.
        fidelity: as ``motion.motion_fidelity`` gives it.
        driving: motion of the driving clip.
        output: motion found again in the reenacted video.
        fps: of both.
        training_logs: the metrics.csv of the run's CSVLogger; several after a resume.
        videos: the two videos, which lie beside the page: keys "reenactment" and "self_reenactment".
        facts: what was run: times, frames, settings, versions.
    """

    title: str
    reenactment: Sequence[Moment]
    self_reenactment: Sequence[Moment]
    metrics: Methods
    test_frames: int
    fidelity: Mapping[str, float | None]
    driving: Motion
    output: Motion
    fps: float
    training_logs: Sequence[Path]
    videos: Mapping[str, Path]
    facts: Mapping[str, str]


def write_report(path: Path, report: Report) -> None:
    """Write the page; it needs no other file and makes no request."""
    parts = [_header(report), _reenactment(report), _held_out(report), _motion(report), _training(report), _facts(report)]
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(page(report.title, parts), encoding="utf-8")
    temporary.replace(path)


def _header(report: Report) -> str:
    return (
        f'<header><span class="notice">AI-generated</span><h1>{escape(report.title)}</h1>'
        f'<p>{AI_NOTICE}</p><p class="quiet">{WHAT_IT_IS}</p></header><div class="tiles">{"".join(_tiles(report))}</div>'
    )


def _tiles(report: Report) -> list[str]:
    model, *baselines = report.metrics
    shown = []
    for key in ("face_l1", "psnr"):
        metric, value = METRICS[key], report.metrics[model][key]
        opponent = best(key, [report.metrics[name][key] for name in baselines])
        shown.append(
            (number(value, metric.decimals), f"{metric.name} ({metric.unit}), best baseline {number(opponent, metric.decimals)}")
        )
    shown.append((number(report.fidelity["yaw_r"], 2), "correlation of head turns, driving and output"))
    shown.append((number(report.fidelity["mouth_opening_r"], 2), "correlation of mouth opening, driving and output"))
    return [f'<div class="tile"><b>{value}</b><span>{escape(what)}</span></div>' for value, what in shown]


def _moments(moments: Sequence[Moment]) -> str:
    return f'<div class="moments">{"".join(_moment(moment) for moment in moments)}</div>'


def _moment(moment: Moment) -> str:
    cells = [f"<div>{image(frame, f'{name}, {moment.caption}')}{escape(name)}</div>" for name, frame in moment.pictures.items()]
    return f'<figure class="moment"><figcaption>{escape(moment.caption)}</figcaption>{"".join(cells)}</figure>'


def _video(report: Report, key: str) -> str:
    return video(report.videos[key], EMBEDDED_BYTES) if key in report.videos else ""


def _reenactment(report: Report) -> str:
    text = "<p>The driving person, the rendering of the target with this motion that the network sees, and its output.</p>"
    return section("Reenactment", text, _video(report, "reenactment"), _moments(report.reenactment))


def _held_out(report: Report) -> str:
    text = (
        "<p>The end of the target's video was kept from training. Driven by its own tracked motion, the output can be compared "
        "with the real frames, pixel by pixel.</p>"
    )
    scale = '<div class="scale">error: 0 <i></i> 64 of 255 levels or more</div>'
    result = f'<p class="verdict">{escape(verdict(report.metrics, report.test_frames))}</p>'
    note = (
        '<p class="quiet">Face L1 counts the pixels of the face alone. The nearest frame is the training frame whose tracked '
        "face lies nearest to the wanted one; the mean frame is the mean of all training frames.</p>"
    )
    pictures = (_video(report, "self_reenactment"), _moments(report.self_reenactment), scale)
    return section("Held-out frames", text, *pictures, result, metrics_table(report.metrics), note)


def _motion(report: Report) -> str:
    fidelity = report.fidelity
    found = number(100 * (fidelity["faces_found"] or 0), 0)
    text = (
        "<p>The reenacted video was tracked again from its pixels alone. What is found there should follow the driving person: "
        f"a correlation and a slope of 1 would be perfect. A face was found in {found} % of its frames.</p>"
    )
    seconds = [frame / report.fps for frame in range(len(report.driving))]
    charts = [
        line_chart(
            title,
            {
                "driving": Line(seconds, getattr(report.driving, name).tolist(), "var(--driving)"),
                "output": Line(seconds, getattr(report.output, name).tolist(), "var(--output)"),
            },
            "seconds",
        )
        for name, title in (("yaw", "Head yaw, degrees"), ("mouth_opening", "Mouth opening, lip gap over eye distance"))
    ]
    rows = [(what, number(fidelity[f"{key}_r"], 2), number(fidelity[f"{key}_slope"], 2)) for key, what in MOTION_NAMES.items()]
    body = "".join(f"<tr><td>{what}</td><td>{correlation}</td><td>{slope}</td></tr>" for what, correlation, slope in rows)
    table = f"<table><thead><tr><th></th><th>correlation</th><th>slope</th></tr></thead><tbody>{body}</tbody></table>"
    return section("Does the motion follow?", text, f'<div class="charts">{"".join(charts)}</div>', table)


def _training(report: Report) -> str:
    curves = read_training_log(report.training_logs)
    if not curves:
        return section("Training", '<p class="quiet">No training log was found.</p>')
    charts = [line_chart(name, {name: Line(*curve, "var(--output)")}, "batch steps") for name, curve in curves.items()]
    return section("Training", f'<div class="charts">{"".join(charts)}</div>')


def _facts(report: Report) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in report.facts.items())
    return section("This run", f'<dl class="facts">{items}</dl>')
