"""Positions at which the page's sliders can stand."""

from __future__ import annotations

from math import ceil, floor

from lit_reenact.edit import Slider

STEPS = {"deg": 0.5, "mm": 1.0, "%": 1.0, "sd": 0.1, "x": 0.05, "": 0.01}
"""Distance between two positions of a slider, by its unit."""


def slider_range(slider: Slider) -> tuple[float, float, float]:
    """Return the lowest and the highest position of a slider, and the step between two; all are multiples of the step."""
    step = STEPS[slider.unit]
    low, high = ceil(round(slider.low / step, 6)), floor(round(slider.high / step, 6))
    return round(low * step, 6), round(high * step, 6), step


def snap(value: float, slider: Slider) -> float:
    """Return the position of a slider that is nearest to a value."""
    low, high, step = slider_range(slider)
    return min(max(round(step * round(value / step), 6), low), high)
