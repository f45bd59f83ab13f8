"""A reenactment by the evaluated network, and its sections of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lit_reenact.evaluation.charts import Line, line_chart
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.moments import Moment, moments_html
from lit_reenact.evaluation.motion import MotionCurves
from lit_reenact.evaluation.page import SCALE, section, video
from lit_reenact.evaluation.table import METRICS, best, number
from lit_reenact.evaluation.training_log import read_training_log

EMBEDDED_BYTES = 3_000_000
"""Largest video that the report carries; a larger one is linked."""

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
class Reenactment:
    """A reenactment by the evaluated network, for the report; every text is escaped there.

    Attributes:
        title: heading of the report, e.g. "d9 driven by d14".
        moments: driving | conditioning | output.
        held_out_moments: input | conditioning | output | error of the self-reenactment.
        driving: motion of the driving clip.
        output: motion detected again in the reenacted video.
        fidelity: result of ``motion_fidelity`` for the two motions.
        fps: frames per second of the driving clip and of the output.
        videos: paths under the keys "reenactment" and "self_reenactment"; both lie beside the report.
        training_logs: metrics.csv files of the run's CSVLogger; several after a resume.
        facts: name to text: times, frames, versions.
    """

    title: str
    moments: Sequence[Moment]
    held_out_moments: Sequence[Moment]
    driving: MotionCurves
    output: MotionCurves
    fidelity: Mapping[str, float | None]
    fps: float
    videos: Mapping[str, Path]
    training_logs: Sequence[Path]
    facts: Mapping[str, str]


def tiles(evaluation: Evaluation, reenactment: Reenactment) -> str:
    """Return the five numbers at the top of the report as HTML."""
    model, *baselines = evaluation.means.values()
    numbers = []
    for key in ("face_l1", "psnr", "lpips"):
        metric = METRICS[key]
        opponent = number(best(key, [values[key] for values in baselines]), metric.decimals)
        numbers.append((number(model[key], metric.decimals), f"{metric.name} ({metric.unit}), best baseline {opponent}"))
    numbers.append((number(reenactment.fidelity["yaw_r"], 2), "correlation of head turns, driving and output"))
    numbers.append((number(reenactment.fidelity["mouth_opening_r"], 2), "correlation of mouth opening, driving and output"))
    cells = [f'<div class="tile"><b>{value}</b><span>{escape(text)}</span></div>' for value, text in numbers]
    return f'<div class="tiles">{"".join(cells)}</div>'


def reenactment_section(reenactment: Reenactment) -> str:
    """Return the reenacted video and its moments."""
    text = "<p>The driving person, the rendering of the target with this motion that the network sees, and its output.</p>"
    return section("Reenactment", text, _video(reenactment, "reenactment"), moments_html(reenactment.moments))


def self_reenactment_section(reenactment: Reenactment) -> str:
    """Return the video of the held-out part and its moments with errors."""
    text = (
        "<p>The end of the target's video was held out from training. Driven by its own tracked motion, the output can be "
        "compared with the real frames, pixel by pixel.</p>"
    )
    return section(
        "Held-out frames", text, _video(reenactment, "self_reenactment"), moments_html(reenactment.held_out_moments), SCALE
    )


def _video(reenactment: Reenactment, key: str) -> str:
    return video(reenactment.videos[key], EMBEDDED_BYTES) if key in reenactment.videos else ""


def motion_following_section(reenactment: Reenactment) -> str:
    """Return the curves and the table that compare the motion of the output with the driving motion."""
    fidelity = reenactment.fidelity
    share = number(100 * (fidelity["faces_found"] or 0), 0)
    text = (
        "<p>The reenacted video was tracked again from its pixels alone. Its motion should follow the driving person: a "
        f"correlation and a slope of 1 would be perfect. A face was detected in {share} % of its frames.</p>"
    )
    titles = {"yaw": "Head yaw, degrees", "mouth_opening": "Mouth opening, lip gap over eye distance"}
    charts = [_motion_chart(reenactment, name, title) for name, title in titles.items()]
    rows = [(name, number(fidelity[f"{key}_r"], 2), number(fidelity[f"{key}_slope"], 2)) for key, name in MOTION_NAMES.items()]
    body = "".join(f"<tr><td>{name}</td><td>{correlation}</td><td>{slope}</td></tr>" for name, correlation, slope in rows)
    table = f"<table><thead><tr><th></th><th>correlation</th><th>slope</th></tr></thead><tbody>{body}</tbody></table>"
    return section("Does the motion follow?", text, f'<div class="charts">{"".join(charts)}</div>', table)


def _motion_chart(reenactment: Reenactment, name: str, title: str) -> str:
    seconds = [frame / reenactment.fps for frame in range(len(reenactment.driving))]
    lines = {
        label: Line(seconds, getattr(curves, name).tolist(), f"var(--{label})")
        for label, curves in (("driving", reenactment.driving), ("output", reenactment.output))
    }
    return line_chart(title, lines, "seconds")


def training_section(reenactment: Reenactment) -> str:
    """Return the curves of everything that the training logged."""
    curves = read_training_log(reenactment.training_logs)
    if not curves:
        return section("Training", '<p class="quiet">No training log was found.</p>')
    charts = [line_chart(name, {name: Line(*curve, "var(--output)")}, "batch steps") for name, curve in curves.items()]
    return section("Training", f'<div class="charts">{"".join(charts)}</div>')
