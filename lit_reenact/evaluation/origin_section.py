"""Section of the report about the origin of pixels: a table of shares, and pictures of some frames."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.moments import Moment, moments_html
from lit_reenact.evaluation.page import section
from lit_reenact.evaluation.pixel_origin import KINDS, PLACES
from lit_reenact.evaluation.table import number, word_table
from lit_reenact.synthesis.pixel_origin import Colour

TEXT = (
    "<p>The network moves pixels of key frames, which are real frames of the training part, to where the wanted face needs them, "
    "and paints what they do not show. The mean frame is the mean of all training frames, the "
    "plate what the camera sees without the person.</p>"
)


def origin_sections(evaluation: Evaluation) -> list[str]:
    """Return the shares of pixels by source and region, and pictures of them; nothing for a network without key frames."""
    origin = evaluation.pixel_origin
    if origin is None:
        return []
    percent = {name: number(100 * share, 1) for name, share in origin.shares.items()}
    rows = [[kind.replace("_", " "), *(percent[f"{place}{kind}"] for place in PLACES)] for kind in KINDS]
    table = word_table([["", "whole frame", "face", "eyes", "mouth"], *rows])
    counted = f'<p class="quiet">Shares in %, means over {origin.frames} frames, spread evenly over the held-out part.</p>'
    moments = []
    for index, picture in zip(origin.shown, origin.pictures, strict=True):
        pictures = {"real": evaluation.real[index], "output": evaluation.generated[index], "origin": picture}
        moments.append(Moment(f"frame {evaluation.frames[index]}", pictures))
    seen = (moments_html(moments), legend(origin.colours))
    return [section("Where do the pixels come from?", TEXT, table, counted, *seen)]


def legend(colours: Mapping[str, Colour]) -> str:
    """Return names beside their colours as HTML."""
    names = "".join(f'<span><i style="background:rgb{colour}"></i>{escape(name)}</span>' for name, colour in colours.items())
    return f'<div class="legend">{names}</div>'
