from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from lit_reenact.evaluation.charts import Axis, Line, line_chart


def test_points_land_where_the_axes_say() -> None:
    chart = line_chart("a", {"a": Line([0, 1, 2], [0.0, 5.0, 10.0], "red")}, "x")
    (points,) = re.findall(r'points="([^"]+)"', chart)
    (x0, y0), (x1, y1), (x2, y2) = (map(float, pair.split(",")) for pair in points.split())
    assert x0 < x1 < x2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 > y1 > y2  # up is smaller in SVG
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)


def test_a_gap_interrupts_the_line_and_a_lone_value_stays_visible() -> None:
    chart = line_chart("a", {"a": Line(range(6), [1.0, 2.0, math.nan, 3.0, math.nan, 4.0], "red")}, "x")
    assert chart.count("<polyline") == 1
    assert chart.count("<circle") == 2


@pytest.mark.parametrize("values", [[3.0, 3.0], [0.0, 0.0], [1e-6, 3e-6], [-40.0, 1e5]])
def test_ticks_are_round_and_inside(values: list[float]) -> None:
    axis = Axis.over(iter(values), 0, 100, margin=0.06)
    ticks = axis.ticks(4)
    assert 2 <= len(ticks) <= 9
    assert axis.low <= min(ticks)
    assert max(ticks) <= axis.high


def test_a_chart_is_well_formed_and_escapes_names() -> None:
    chart = line_chart('<i>&"', {"<b>": Line([0, 1], [1, 2], "red"), "c": Line([0, 1], [1, 3], "blue")}, "<x>")
    ElementTree.fromstring(chart)
    assert "<b>" not in chart.replace("<b>&lt;i&gt;", "")


def test_nothing_to_draw_is_said() -> None:
    assert "Nothing was recorded" in line_chart("a", {"a": Line([0], [math.nan], "red")}, "x")
