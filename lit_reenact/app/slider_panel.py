"""The panel of sliders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gradio as gr

from lit_reenact.app.slider_grid import slider_range
from lit_reenact.edit import GROUPS, Slider

UNITS = {"deg": "°", "mm": "mm", "%": "%", "sd": "standard deviations", "x": "times"}

MOST_UNFOLDED = 12
"""Number of sliders of one kind up to which they stand open; more of them are folded away under their common help."""

OPEN_GROUP = "head"
LIGHT = "light"


@dataclass(frozen=True)
class SliderPanel:
    """Sliders in groups, switches, and buttons that reset them.

    Attributes:
        sliders: name to slider, in the order of the face model.
        any_light: switch that allows light which the training did not show.
        remove_hair: switch that removes the hair.
        reset_all: button that removes all edits.
        reset_group: group of sliders to the button that removes its edits.
    """

    sliders: dict[str, gr.Slider]
    any_light: gr.Checkbox
    remove_hair: gr.Checkbox
    reset_all: gr.Button
    reset_group: dict[str, gr.Button]

    @classmethod
    def build(cls, table: Mapping[str, Slider]) -> SliderPanel:
        """Lay the panel out."""
        reset_all = gr.Button("Reset all edits", size="sm")
        sliders: dict[str, gr.Slider] = {}
        resets = {}
        for group in GROUPS:
            with gr.Accordion(group, open=group == OPEN_GROUP):
                sliders |= _build_group([row for row in table.values() if row.group == group])
                if group == LIGHT:
                    any_light = gr.Checkbox(False, label="also light that the training never showed (faces may get spots)")
                resets[group] = gr.Button(f"Reset {group}", size="sm")
        in_order = {name: sliders[name] for name in table}
        hair = gr.Checkbox(False, label="remove the hair (the first time takes seconds)")
        return cls(in_order, any_light, hair, reset_all, resets)


def _build_group(rows: Sequence[Slider]) -> dict[str, gr.Slider]:
    sliders: dict[str, gr.Slider] = {}
    kinds = Counter(row.help for row in rows)
    for kind, count in kinds.items():
        alike = [row for row in rows if row.help == kind]
        if count > MOST_UNFOLDED and len(kinds) > 1:
            with gr.Accordion(f"{alike[0].label} to {alike[-1].label}", open=False):
                sliders |= _build_kind(alike)
        else:
            sliders |= _build_kind(alike)
    return sliders


def _build_kind(rows: Sequence[Slider]) -> dict[str, gr.Slider]:
    """Lay out sliders that share their help; it stands once, above several of them."""
    if len(rows) > 1:
        gr.HTML(f'<p class="help">{rows[0].help}</p>')
    return {row.name: _build_slider(row, rows[0].help if len(rows) == 1 else None) for row in rows}


def _build_slider(row: Slider, info: str | None) -> gr.Slider:
    low, high, step = slider_range(row)
    label = f"{row.label} ({UNITS[row.unit]})" if row.unit else row.label
    return gr.Slider(low, high, row.default, step=step, label=label, info=info, elem_id=f"slider-{row.name}", buttons=[])
