"""The report of a track: one page that shows at a glance how well the clip was tracked, without other files or a network."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.files import atomic_output, write_text
from lit_reenact.core.geometry import axis_angle_to_matrix, head_to_camera, matrix_to_euler, project
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import FaceModel, load_face_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.tracking.quality import jitter, jitter_ratio, photometric_gain, projected_landmarks, skin_error
from lit_reenact.tracking.smoothing import runs
from lit_reenact.tracking.trackfile import CLIP_NAME
from lit_reenact.video import FrameReader

REPORT_NAME = "report.html"
SHEET_NAME = "report.png"
SHEET_FRAMES = 8

STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:1180px;margin:2em auto;padding:0 1em}"
    "img,svg{max-width:100%;height:auto}td{padding:0 1em 0 0}"
)


def write_report(track: Track, folder: Path) -> Path:
    """Write ``folder/report.html`` and the picture sheet ``folder/report.png`` of a track whose clip lies in the folder.

    Returns:
        path of the page.
    """
    model = load_face_model(track.info.face_model)
    reader, numbers = FrameReader(folder / CLIP_NAME), choose_frames(track.valid)
    with ThreadPoolExecutor(1) as pool:
        figure = pool.submit(lambda: _svg(draw_curves(track, model)))
        sheet = _png(picture_sheet(track, model, reader, numbers))
        page = _page(track, summary(track, model, reader, numbers), sheet, figure.result())
    with atomic_output(folder / SHEET_NAME) as partial:
        partial.write_bytes(sheet)
    write_text(folder / REPORT_NAME, page)
    return folder / REPORT_NAME


def choose_frames(valid: Tensor) -> Tensor:
    """Choose up to ``SHEET_FRAMES`` valid frames, spread over the clip: numbers int64 (N,)."""
    usable = valid.nonzero()[:, 0]
    return usable[torch.linspace(0, len(usable) - 1, min(SHEET_FRAMES, len(usable))).round().long()]


def picture_sheet(track: Track, model: FaceModel, reader: FrameReader, numbers: Tensor) -> Tensor:
    """Draw one column per frame, the frame, the mesh over it and its three conditioning images: uint8 (5 H, N W, 3)."""
    frames = reader.read(numbers.tolist())
    parameters = track.parameters[numbers]
    conditioning = ConditioningRenderer(model, track.actor, track.camera)(parameters).cpu()
    images = conditioning.view(len(numbers), 3, 3, *frames.shape[1:3]).permute(1, 0, 3, 4, 2)  # (3, N, H, W, 3)
    overlay = torch.stack([draw_mesh(f, p) for f, p in zip(frames, edges_in_pixels(track, model, parameters), strict=True)])
    rows = torch.cat([frames[None], overlay[None], images])  # (5, N, H, W, 3)
    return rows.permute(0, 2, 1, 3, 4).flatten(2, 3).flatten(0, 1)


def edges_in_pixels(track: Track, model: FaceModel, parameters: FaceParameters) -> Tensor:
    """Project both ends of every edge of the mesh into the clip: (T, E, 2, 2) pixels."""
    mesh = model.mesh(track.actor, parameters)
    points = project(head_to_camera(mesh, parameters.rotation, parameters.translation), track.camera)[..., :2]
    sides = torch.cat([model.faces[:, [0, 1]], model.faces[:, [1, 2]], model.faces[:, [2, 0]]]).sort(1).values
    pairs = torch.unique(sides, dim=0)
    return points[:, pairs]


def draw_mesh(frame: Tensor, edges: Tensor) -> Tensor:
    """Draw edges (E, 2, 2) over a frame uint8 (H, W, 3) as fine green lines."""
    along = torch.linspace(0, 1, 24)[:, None, None]
    points = (edges[:, 0] * (1 - along) + edges[:, 1] * along).flatten(0, 1).floor().long()  # (24 E, 2)
    height, width = frame.shape[:2]
    inside = ((points >= 0) & (points < torch.tensor([width, height]))).all(-1)
    x, y = points[inside].unbind(-1)
    drawn = frame.clone()
    drawn[y, x] = (0.5 * frame[y, x] + 0.5 * torch.tensor([0.0, 255.0, 80.0])).to(torch.uint8)
    return drawn


def curves(track: Track, model: FaceModel) -> list[tuple[str, dict[str, Tensor]]]:
    """Collect the curves of the page: (unit, {name: (T,)}) for each panel."""
    pose = torch.rad2deg(matrix_to_euler(axis_angle_to_matrix(track.parameters.rotation)))
    gaze = torch.rad2deg(track.parameters.gaze)
    fitted = projected_landmarks(track, model)

    def coefficient(name: str) -> dict[str, Tensor]:
        names = model.expression_names
        return {name: track.parameters.expression[:, names.index(name)]} if name in names else {}

    return [
        ("landmark error, % of the outer-eye distance", {"error": track.error, "with correctives": track.corrected_error}),
        ("head, degrees", dict(zip(("yaw", "pitch", "roll"), pose.unbind(-1), strict=True))),
        ("mouth", coefficient("jawOpen") | coefficient("mouthSmileLeft") | coefficient("mouthSmileRight")),
        ("blinks", coefficient("eyeBlinkLeft") | coefficient("eyeBlinkRight")),
        ("jitter, pixels", {"landmarks": jitter(track.landmarks.points[:, :FACE_POINTS, :2]), "track": jitter(fitted)}),
        ("gaze, degrees", {"yaw left": gaze[:, 0], "yaw right": gaze[:, 2], "pitch left": gaze[:, 1], "pitch right": gaze[:, 3]}),
    ]


def draw_curves(track: Track, model: FaceModel) -> Figure:
    """Draw all curves over the seconds of the clip, with the held-out part shaded."""
    panels = curves(track, model)
    seconds = np.arange(len(track)) / _fps(track)
    figure = Figure(figsize=(11, 2.0 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True)
    for axis, (unit, series) in zip(axes, panels, strict=True):
        for name, values in series.items():
            axis.plot(seconds, values.numpy(), linewidth=0.9, label=name)
        axis.axvspan(track.info.actor_frames / _fps(track), seconds[-1], color="0.93", zorder=0)
        for start, stop in runs(~track.valid):
            axis.axvspan(seconds[start], seconds[stop - 1], color="#f6c6c6", zorder=0)
        for cut in track.info.cuts:
            axis.axvline(seconds[cut], color="0.4", linewidth=0.8, linestyle="--")
        axis.set_ylabel(unit, fontsize=8)
        axis.legend(loc="upper right", fontsize=7, ncols=4)
    axes[-1].set_xlabel("seconds (grey: held-out; red: left out of training; dashed: cut)")
    return figure


def failures(track: Track) -> list[str]:
    """Describe each run of frames that is unfit for training or fits badly, in a sentence."""
    sentences = []
    for start, stop in runs(~track.valid):
        unseen = not bool(track.landmarks.found[start:stop].any())
        why = "no face was seen" if unseen else "the face was seen only in part, or leaves the picture"
        sentences.append(f"frames {start}-{stop - 1} are left out of training: {why}")
    usual = float(track.error.nanmedian())
    for start, stop in runs(track.error > max(3 * usual, 3.0)):
        worst = float(track.error[start:stop].max())
        sentences.append(
            f"frames {start}-{stop - 1} fit badly: landmark error up to {worst:.1f} %, {usual:.1f} % in the median frame"
        )
    return sentences


def summary(track: Track, model: FaceModel, reader: FrameReader, numbers: Tensor) -> list[tuple[str, str]]:
    """Compute the figures on top of the page, names and values; the skin's colour is compared in the frames int64 (N,) alone."""
    held_out = slice(track.info.actor_frames, None)
    corrected = track.corrected_error[held_out].nanmean()
    skin = skin_error(track, model, reader, numbers).nanmean()
    pose = torch.rad2deg(matrix_to_euler(axis_angle_to_matrix(track.parameters.rotation)))
    angles = zip(("yaw", "pitch", "roll"), pose.amin(0).tolist(), pose.amax(0).tolist(), strict=True)
    reach = ", ".join(f"{name} {low:.0f} to {high:.0f}°" for name, low, high in angles)
    return [
        ("source", track.info.source),
        ("frames", f"{len(track)} at {_fps(track):.4g} per second"),
        ("learned from", f"the first {track.info.actor_frames} frames"),
        ("fit for training", f"{int(track.valid.sum())} frames"),
        ("landmark error", f"{float(track.error.nanmean()):.2f} % of the outer-eye distance on average"),
        ("landmark error with corrective modes", f"{float(corrected):.2f} %, in held-out frames"),
        ("photometric error", photometric_gain(track)),
        ("skin colour", f"{float(skin):.1f} of 255 levels between the diffuse image and the clip, in the frames below"),
        ("jitter", f"{100 * jitter_ratio(track, model):.0f} % of that of the landmarks"),
        ("head", reach),
        ("face model", f"{track.info.face_model} ({track.info.face_model_hash})"),
    ]


def _page(track: Track, figures: list[tuple[str, str]], sheet: bytes, figure: str) -> str:
    title = html.escape(f"Track of {track.info.source}")
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in figures)
    picture = base64.b64encode(sheet).decode()
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><table>{rows}</table>"
        f"{_list('Warnings', track.info.warnings)}{_list('Frames to check', failures(track))}"
        "<h2>Input of the network</h2>"
        "<p>From top to bottom: the frame, the fitted mesh, diffuse colour, correspondence, eyes.</p>"
        f'<img alt="frames, mesh and conditioning images" src="data:image/png;base64,{picture}">'
        f"<h2>Over time</h2>{figure}</html>"
    )


def _list(title: str, sentences: Sequence[str]) -> str:
    return f"<h2>{title}</h2><ul>{''.join(f'<li>{html.escape(s)}</li>' for s in sentences)}</ul>" if sentences else ""


def _fps(track: Track) -> float:
    top, _, bottom = track.info.fps.partition("/")
    return float(top) / float(bottom or 1)


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.numpy()).save(buffer, format="PNG")
    return buffer.getvalue()


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    text = buffer.getvalue()
    return text[text.index("<svg") :]
