"""The table of metrics and the one sentence that says who won."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple


class Metric(NamedTuple):
    """How a metric is shown and read."""

    name: str
    unit: str
    decimals: int
    less_is_better: bool


METRICS = {
    "face_l1": Metric("Face L1", "levels of 255", 2, True),
    "l1": Metric("L1", "levels of 255", 2, True),
    "psnr": Metric("PSNR", "dB", 2, False),
    "ssim": Metric("SSIM", "1 is equal", 3, False),
    "lpips": Metric("LPIPS", "", 3, True),
    "lpips_untrained": Metric("LPIPS untrained", "makes no claim", 3, True),
}
"""By their keys in metrics.json."""

CLAIMS = ("face_l1", "psnr", "ssim")
"""The metrics that the verdict speaks about."""

Methods = Mapping[str, Mapping[str, float]]
"""Method to metric to value; the model comes first, the baselines after it."""


def number(value: float | None, decimals: int) -> str:
    """A value as text; a dash for one that does not exist."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.{decimals}f}"


def best(key: str, values: Sequence[float]) -> float:
    """The best of some values of a metric, at the precision shown, so that what looks equal counts as equal."""
    rounded = [round(value, METRICS[key].decimals) for value in values]
    return min(rounded) if METRICS[key].less_is_better else max(rounded)


def verdict(methods: Methods, frames: int) -> str:
    """One honest sentence: in which of the metrics that carry a claim the model beats every baseline. A tie is no win."""
    model, *baselines = methods
    won: list[str] = []
    lost: list[str] = []
    for key in CLAIMS:
        opponent = best(key, [methods[name][key] for name in baselines])
        own = best(key, [methods[model][key]])
        (won if own != opponent and best(key, [own, opponent]) == own else lost).append(METRICS[key].name)
    where = f"On {frames} held-out frames the {model}"
    both = "both baselines" if len(baselines) == 2 else "every baseline"
    if not lost:
        return f"{where} beats {both} in {enumerate_names(won)}."
    if not won:
        return f"{where} does not beat the best baseline in {enumerate_names(lost)}: it needs more training or more footage."
    return f"{where} beats {both} in {enumerate_names(won)}, but not in {enumerate_names(lost)}."


def enumerate_names(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def metrics_table(methods: Methods) -> str:
    """An HTML table with one column a method and one row a metric that all of them have; the best values are marked."""
    heads = "".join(f"<th>{escape(method)}</th>" for method in methods)
    keys = [key for key in METRICS if all(key in values for values in methods.values())]
    rows = "".join(_row(METRICS[key], best(key, _column(methods, key)), _column(methods, key)) for key in keys)
    return f'<div class="wide"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _column(methods: Methods, key: str) -> list[float]:
    return [values[key] for values in methods.values()]


def _row(metric: Metric, winner: float, values: Sequence[float]) -> str:
    arrow = "↓" if metric.less_is_better else "↑"
    cells = ""
    for value in values:
        mark = ' class="best"' if round(value, metric.decimals) == winner else ""
        cells += f"<td{mark}>{number(value, metric.decimals)}</td>"
    return f"<tr><td>{escape(metric.name)} {arrow}<small>{escape(metric.unit)}</small></td>{cells}</tr>"
