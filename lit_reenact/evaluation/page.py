"""The shell of a self-contained HTML page: everything inline, light and dark, readable on a phone."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from torch import Tensor

from lit_reenact.synthesis.pictures import FULL_SCALE
from lit_reenact.video import probe

VIDEO_HEIGHT = 400
"""Height of a video on the page in CSS pixels, if the page is wide enough."""

SCALE = f'<div class="scale">error: 0 <i></i> {FULL_SCALE} of 255 levels or more</div>'
"""Legend of the colours of an error picture, as HTML."""

STYLE = Path(__file__).with_suffix(".css")


def page(title: str, parts: Sequence[str]) -> str:
    """Return an HTML document around ``parts``, which are HTML already; only the title is escaped here."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def section(heading: str, *parts: str) -> str:
    """Return a card of the page; the heading is escaped, the parts are HTML already."""
    return f"<section><h2>{escape(heading)}</h2>\n" + "\n".join(parts) + "</section>"


def image(frame: Tensor, description: str) -> str:
    """Return an ``<img>`` that carries its picture, uint8 (H, W, 3), as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(frame.cpu().numpy()).save(buffer, format="PNG", optimize=True)
    return f'<img alt="{escape(description)}" src="{_data("image/png", buffer.getvalue())}">'


def video(path: Path, most_bytes: int) -> str:
    """Return a ``<video>`` that carries an .mp4 of at most ``most_bytes``; a larger one is linked by its name."""
    if path.stat().st_size > most_bytes:
        return f'<p><a href="{quote(path.name)}">{escape(path.name)}</a> <span class="quiet">(too large to embed)</span></p>'
    info = probe(path)
    shape = f"aspect-ratio:{info.width}/{info.height};width:min(100%,{round(VIDEO_HEIGHT * info.width / info.height)}px)"
    source = _data("video/mp4", path.read_bytes())
    return f'<video controls muted loop playsinline preload="metadata" style="{shape}" src="{source}"></video>'


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
