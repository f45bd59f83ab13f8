"""Pictures and lists as HTML that carries everything itself: no file on the server shows a face."""

from __future__ import annotations

import base64
from html import escape

import cv2
import numpy as np
from torch import Tensor

from lit_reenact.app.preview import Preview, driving_frame, target_frame
from lit_reenact.app.session import Session

NAMES = {"diffuse": "colour", "correspondence": "correspondence"}
"""Of conditioning images, for people, where the name itself does not do."""

NOTHING = '<p class="nothing">{}</p>'


def target_view(session: Session) -> str:
    """The frame as it was filmed."""
    frame = session.frame
    return figure("target", target_frame(session), "target", f"frame {frame} of the target's own video")


def result_view(session: Session, preview: Preview) -> str:
    """The frame as the network makes it, and which sliders go farther than it."""
    made = figure("result", preview.frame, "result (AI-generated)", f"frame {session.frame} made by the network")
    return made + "".join(f'<p class="help" role="status">{escape(limit)}</p>' for limit in session.limits())


def conditioning_view(session: Session, preview: Preview) -> str:
    """What the network sees of the frame, and by whom it is driven."""
    images = preview.conditioning.view(-1, 3, *preview.conditioning.shape[1:]).permute(0, 2, 3, 1)  # (K, S, S, 3)
    shown = [
        figure(f"conditioning-{name}", image, NAMES.get(name, name), f"{name} image of the edited face, which the network sees")
        for name, image in zip(session.run.generator.conditioning, images, strict=True)
    ]
    driving = driving_frame(session)
    if driving is not None:
        shown.append(figure("driving", driving, "driving video", f"the frame that drives frame {session.frame}"))
    return f'<div class="strip">{"".join(shown)}</div>'


def keyframe_list(session: Session) -> str:
    """Where the keyframes are, as a picture of the timeline and in words."""
    keyframes, last = session.keyframes(), max(len(session.performance) - 1, 1)
    if not keyframes:
        return NOTHING.format("No keyframes: sliders stand still over the whole video.")
    ticks = "".join(f'<i style="left:{100 * frame / last:.2f}%"></i>' for frame in keyframes)
    sliders = session.run.sliders
    rows = "".join(
        f"<li>frame {frame}: {escape(', '.join(sliders[name].label for name in names))}</li>"
        for frame, names in keyframes.items()
    )
    return f'<div class="ticks" aria-hidden="true">{ticks}</div><ul class="keyframes" aria-label="keyframes">{rows}</ul>'


def performance_notes(session: Session) -> str:
    """Who drives, and what of it the target's training did not show."""
    performance = session.performance
    if performance.policy is None:
        return NOTHING.format("The target performs itself, as it was filmed.")
    driver = "nobody else" if performance.source is None else performance.source.track.info.source
    lines = "".join(f"<li>{escape(line)}</li>" for line in performance.outside.splitlines())
    outside = (
        f"<p>Beyond what the training showed:</p><ul>{lines}</ul>"
        if lines
        else "<p>All of it lies in what the training showed.</p>"
    )
    return f"<p>Driven by {escape(driver)}, {len(performance)} frames.</p>{outside}"


def run_notes(session: Session) -> str:
    """Which network is open, and whom it draws."""
    target = escape(session.run.target.track.info.source)
    return f"<p>Open: <code>{escape(str(session.run.checkpoint))}</code>, trained on {target}.</p>"


def figure(name: str, image: Tensor, caption: str, description: str) -> str:
    """A picture, uint8 (H, W, 3), with what stands under it and what a screen reader says of it."""
    picture = f'<img id="{name}" alt="{escape(description)}" src="data:image/png;base64,{_png(image)}">'
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _png(image: Tensor) -> str:
    bgr = np.ascontiguousarray(image.numpy()[..., ::-1])
    _, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])  # quickly
    return base64.b64encode(data.tobytes()).decode()
