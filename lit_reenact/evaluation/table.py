"""Tables of metrics, as HTML and for a terminal, and the sentence that says whether the model wins."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import NamedTuple

from lit_reenact.evaluation.intervals import Estimate
from lit_reenact.metrics.sharpness import WANTED


class Metric(NamedTuple):
    """Name, unit and direction of a metric.

    Attributes:
        name: name for people.
        unit: unit, or the value of a perfect result.
        decimals: digits after the point.
        less_is_better: whether smaller values are better.
        ideal: value of a perfect result where neither smaller nor larger ones are better, but nearer ones; otherwise None.
    """

    name: str
    unit: str
    decimals: int
    less_is_better: bool
    ideal: float | None = None

    @property
    def arrow(self) -> str:
        """Sign of the direction in which values are better."""
        return f"→ {self.ideal:g}" if self.ideal is not None else "↓" if self.less_is_better else "↑"

    def cost(self, value: float) -> float:
        """Return a number that is smaller for a better value."""
        return abs(value - self.ideal) if self.ideal is not None else value if self.less_is_better else -value


METRICS = {
    "face_l1": Metric("Face L1", "levels of 255", 2, True),
    "face_psnr": Metric("Face PSNR", "dB", 2, False),
    "face_ssim": Metric("Face SSIM", "1 is equal", 3, False),
    "mouth_l1": Metric("Mouth L1", "levels of 255", 2, True),
    "mouth_psnr": Metric("Mouth PSNR", "dB", 2, False),
    "mouth_ssim": Metric("Mouth SSIM", "1 is equal", 3, False),
    "eyes_l1": Metric("Eyes L1", "levels of 255", 2, True),
    "eyes_psnr": Metric("Eyes PSNR", "dB", 2, False),
    "eyes_ssim": Metric("Eyes SSIM", "1 is equal", 3, False),
    "l1": Metric("L1", "levels of 255", 2, True),
    "psnr": Metric("PSNR", "dB", 2, False),
    "ssim": Metric("SSIM", "1 is equal", 3, False),
    "ms_ssim": Metric("MS-SSIM", "1 is equal", 3, False),
    "photometric": Metric("Photometric error", "distance in RGB, levels of 255", 2, True),
    "lpips": Metric("LPIPS", "AlexNet, 0 is equal", 4, True),
    "face_lpips": Metric("Face LPIPS", "face crop at 256 pixels", 4, True),
    "high_frequency": Metric("High frequencies", "of the real frames'; wanted {} to {}".format(*WANTED), 2, True, ideal=1.0),
    "csim_dlib": Metric("CSIM (dlib)", "cosine; not comparable with ArcFace's", 4, False),
    "face_distance": Metric("Face distance (dlib)", "0 is equal; one person mostly below .45", 3, True),
    "csim": Metric("CSIM", "cosine of your network's embeddings", 3, False),
    "landmarks_68": Metric("Landmarks (second detector)", "% of the outer-eye distance", 2, True),
    "fid": Metric("FID", "0 is equal", 2, True),
    "warped_error": Metric("Flow-warped error", "levels of 255", 2, True),
    "flicker": Metric("Flicker", "0 is as in the real clip", 3, True),
}
"""Metrics of single frames by their keys in metrics.json."""

MOTION_METRICS = {
    "pose_distance": Metric("APD, average pose distance", "degrees", 2, True),
    "expression_distance": Metric("AED, average expression distance", "0 is equal", 3, True),
    "landmark_distance": Metric("Landmarks (FaceMesh)", "% of the outer-eye distance", 2, True),
    "landmarks_68": METRICS["landmarks_68"],
    "gaze_error": Metric("Gaze error", "degrees", 2, True),
    "blink_f1": Metric("Blink F1", "1 is every blink", 2, False),
    "jaw_r": Metric("Correlation of the jaw's opening", "1 is perfect", 3, False),
    "face_found": Metric("Frames in which a face was detected", "share", 3, False),
}
"""Metrics of the motion tracked again from pixels, by their keys in metrics.json."""

CLAIMS = ("face_l1", "psnr", "ssim", "lpips")
"""The metrics that the verdict speaks about, if they were measured."""

COMPARED = (
    "face_l1",
    "face_ssim",
    "mouth_l1",
    "eyes_l1",
    "l1",
    "psnr",
    "ssim",
    "lpips",
    "face_lpips",
    "face_distance",
    "warped_error",
)
"""The metrics in which the model is compared with each other method frame by frame, if all methods have them."""

Methods = Mapping[str, Mapping[str, float]]
"""Method to metric to value; the model comes first, the baselines after it."""

Estimates = Mapping[str, Mapping[str, Estimate]]
"""Method to metric to value and interval."""


def number(value: float | None, decimals: int, sign: str = "") -> str:
    """Return a value as text, a positive one after a ``+`` if that is the sign; a dash if it is None or not finite."""
    return "-" if value is None or not math.isfinite(value) else f"{value:{sign}.{decimals}f}"


def best(key: str, values: Sequence[float]) -> float:
    """Return the best of some values of a metric, at the precision shown, so that values that look equal count as equal."""
    return min((round(value, METRICS[key].decimals) for value in values), key=METRICS[key].cost)


def verdict(methods: Methods, frames: int) -> str:
    """Return a sentence that says in which of the ``CLAIMS`` the model beats every baseline; a tie is no win."""
    model, *baselines = methods
    won: list[str] = []
    lost: list[str] = []
    for key in _claims(methods[model]):
        opponent = best(key, [methods[name][key] for name in baselines])
        own = best(key, [methods[model][key]])
        (won if own != opponent and best(key, [own, opponent]) == own else lost).append(METRICS[key].name)
    where = f"On {frames} held-out frames the {model}"
    if not lost:
        return f"{where} beats every baseline in {enumerate_names(won)}."
    if not won:
        return f"{where} does not beat the best baseline in {enumerate_names(lost)}: it needs more training or more footage."
    return f"{where} beats every baseline in {enumerate_names(won)}, but not in {enumerate_names(lost)}."


def _claims(metrics: Collection[str]) -> list[str]:
    return [key for key in CLAIMS if key in metrics]


def enumerate_names(names: Sequence[str]) -> str:
    """Return names as ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def metrics_table(estimates: Estimates) -> str:
    """Return an HTML table with a column for each method and a row for each metric that all of them have; the best is marked."""
    keys = [key for key in METRICS if all(key in values for values in estimates.values())]
    return _table(list(estimates), [_row(key, [values[key] for values in estimates.values()]) for key in keys])


def differences_table(differences: Estimates) -> str:
    """Return an HTML table of the differences between the model and the method of each column.

    A difference is marked where the model is better by more than the confidence interval.
    """
    rows = [
        f"<tr>{_head(METRICS[key])}{''.join(_difference(METRICS[key], row[key]) for row in differences.values())}</tr>"
        for key in COMPARED
        if all(key in row for row in differences.values())
    ]
    return _table(list(differences), rows)


def _difference(metric: Metric, value: Estimate) -> str:
    better = value.high < 0 if metric.less_is_better else value.low > 0
    mark = ' class="best"' if better else ""
    return f"<td{mark}>{with_interval(metric, value, sign='+')}</td>"


def motion_table(methods: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Return an HTML table of motion metrics with their intervals, with a column for each method."""
    shown = [(metric, key) for key, metric in MOTION_METRICS.items() if any(key in motion for motion in methods.values())]
    rows = [
        f"<tr>{_head(metric)}{''.join(f'<td>{with_interval(metric, motion[key])}</td>' for motion in methods.values())}</tr>"
        for metric, key in shown
    ]
    return _table(list(methods), rows)


def text_table(estimates: Estimates) -> str:
    """Return the ``CLAIMS`` as text for a terminal: a line for each method, each value with its interval."""
    width, keys = 2 + max(map(len, estimates)), _claims(next(iter(estimates.values())))
    lines = [f"{'':<{width}}" + "".join(f"{METRICS[key].name:<22}" for key in keys)]
    for method, values in estimates.items():
        cells = [
            " ".join([number(values[key].value, METRICS[key].decimals), _brackets(METRICS[key], values[key])]) for key in keys
        ]
        lines.append(f"{method:<{width}}" + "".join(f"{cell:<22}" for cell in cells))
    return "\n".join(line.rstrip() for line in lines)


def align(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of words as aligned columns for a terminal."""
    widths = [2 + max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("".join(f"{word:<{width}}" for word, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def word_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of words as an HTML table; the first row holds the headings."""
    headings, *body = rows
    return _table(headings[1:], [f"<tr>{''.join(f'<td>{escape(word)}</td>' for word in row)}</tr>" for row in body])


def _brackets(metric: Metric, value: Estimate) -> str:
    return f"[{number(value.low, metric.decimals)}, {number(value.high, metric.decimals)}]"


def with_interval(metric: Metric, value: Estimate, sign: str = "") -> str:
    """Return HTML of a value and, below it, its interval if it has one; ``sign`` works as in ``number``."""
    low, high = (number(bound, metric.decimals, sign) for bound in (value.low, value.high))
    below = f"<small>{low} to {high}</small>" if math.isfinite(value.low + value.high) else ""
    return f"{number(value.value, metric.decimals, sign)}{below}"


def _table(columns: Sequence[str], rows: Sequence[str]) -> str:
    heads = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(rows)
    return f'<div class="wide"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _head(metric: Metric) -> str:
    return f"<td>{escape(metric.name)} {metric.arrow}<small>{escape(metric.unit)}</small></td>"


def _row(key: str, estimates: Sequence[Estimate]) -> str:
    metric, winner = METRICS[key], best(key, [estimate.value for estimate in estimates])
    cells = ""
    for estimate in estimates:
        mark = ' class="best"' if round(estimate.value, metric.decimals) == winner else ""
        cells += f"<td{mark}>{with_interval(metric, estimate)}</td>"
    return f"<tr>{_head(metric)}{cells}</tr>"
