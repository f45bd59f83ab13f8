"""Contact sheets: rows of pictures under their names, as one PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lit_reenact.core.files import atomic_output

GAP, LABEL_HEIGHT, FONT_SIZE = 6, 30, 17
PAPER, INK = (255, 255, 255), (60, 66, 78)


def contact_sheet(rows: Mapping[str, Sequence[Tensor] | Tensor], path: Path, cell: int = 160) -> None:
    """Write a PNG with one named row of pictures after another, the columns being moments in time.

    Args:
        rows: name to pictures, uint8 (H, W, 3) each or uint8 (N, H, W, 3); every row has the same number of pictures.
        path: PNG file to write.
        cell: side of a picture on the sheet in pixels.

    Raises:
        ValueError: the rows differ in their number of pictures.
    """
    columns = {len(frames) for frames in rows.values()}
    if len(columns) != 1:
        raise ValueError(f"rows of unequal length: {sorted(columns)}")
    count = columns.pop()
    step = cell + GAP
    sheet = Image.new("RGB", (count * step + GAP, len(rows) * (step + LABEL_HEIGHT) + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for row, (name, frames) in enumerate(rows.items()):
        top = row * (step + LABEL_HEIGHT)
        draw.text((GAP + 1, top + LABEL_HEIGHT / 2 + 2), name, fill=INK, font=font, anchor="lm")
        for column, frame in enumerate(frames):
            picture = Image.fromarray(frame.cpu().numpy()).resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(picture, (GAP + column * step, top + LABEL_HEIGHT))
    with atomic_output(path) as partial:
        sheet.save(partial, format="PNG", optimize=True)
