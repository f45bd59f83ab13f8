"""Is this machine ready, and are these videos? Told line by line, before hours are spent."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from lit_reenact.errors import ReenactError
from lit_reenact.landmarks import find_faces, follow
from lit_reenact.losses import Lpips
from lit_reenact.video import VideoInfo, iterate_frames, probe

SAMPLED_FRAMES = 16
MINIMUM_SECONDS = 60
MINIMUM_FACE_PIXELS = 150


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        level: "ok", "hint" (works, could be better) or "problem" (does not work).
        text: what was found and, unless it is ok, what to do.
    """

    level: str
    text: str


def _python() -> Finding:
    supported = platform.python_version_tuple()[:2] in (("3", "11"), ("3", "12"))
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("ok", text) if supported else Finding("problem", f"{text}: use Python 3.11 or 3.12")


def _packages() -> Finding:
    names = ("torch", "lightning", "kornia", "decord", "mediapipe", "av", "wandb")
    return Finding("ok", ", ".join(f"{name} {version(name)}" for name in names))


def _device() -> Finding:
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count()))
        return Finding("ok", f"GPU: {names}")
    return Finding(
        "hint", f"no GPU, {os.cpu_count()} CPU cores: configs/demo.yaml (128 pixels) trains in minutes; paper.yaml wants a GPU"
    )


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    level = "ok" if free > 5 else "hint"
    return Finding(
        level, f"{free:.0f} GiB of disk free here" + ("" if free > 5 else ": a few minutes of video at 256 pixels need about 5")
    )


def _lpips() -> Finding:
    if Lpips("auto").name == "lpips":
        return Finding("ok", "LPIPS: the trained backbone is here")
    return Finding(
        "hint", "LPIPS: no trained backbone here, so an untrained one is used and named lpips_untrained; it carries no claim"
    )


def _wandb() -> Finding:
    import wandb

    if wandb.api.api_key:
        return Finding("ok", "Weights & Biases: logged in")
    return Finding("hint", "Weights & Biases: not logged in, runs are kept offline; `wandb login`, then `wandb sync` sends them")


MACHINE_CHECKS: tuple[Callable[[], Finding], ...] = (_python, _packages, _device, _disk, _lpips, _wandb)


def examine_video(path: Path) -> list[Finding]:
    """What a video is fit for; looks at a few frames spread over it.

    Raises:
        ReenactError: the file is no video that can be read.
    """
    info = probe(path)
    text = f"{info.frame_count} frames, {info.width}x{info.height}, {float(info.fps):.2f} frames/s, {info.duration:.1f} s"
    found = [Finding("ok", text + (", with audio" if info.has_audio else ", no audio"))]
    if info.duration < MINIMUM_SECONDS:
        found.append(Finding("hint", f"as a target it is short: {MINIMUM_SECONDS} s or more show more of the person's range"))
    return found + _examine_faces(path, info)


def _examine_faces(path: Path, info: VideoInfo) -> list[Finding]:
    step = max(1, info.frame_count // SAMPLED_FRAMES)
    frames = (frame for number, frame in enumerate(iterate_frames(path)) if number % step == 0)
    faces = list(find_faces(frames, max_faces=3))
    landmarks = follow(faces)
    if not landmarks.found.any():
        return [Finding("problem", "no face was found in the frames looked at: it cannot be tracked")]
    seen = landmarks.points[landmarks.found][..., :2]
    height = float((seen.amax(1) - seen.amin(1))[:, 1].median())
    share = float(landmarks.found.float().mean())
    level = "ok" if share == 1 else "hint"
    findings = [Finding(level, f"a face in {100 * share:.0f} % of {len(landmarks)} frames looked at, {height:.0f} pixels high")]
    if max(map(len, faces)) > 1:
        findings.append(Finding("hint", f"{max(map(len, faces))} faces were seen: the largest would be followed"))
    if height < MINIMUM_FACE_PIXELS:
        findings.append(Finding("hint", f"the face is small: {MINIMUM_FACE_PIXELS} pixels or more keep gaze and lips readable"))
    return findings


def _print(findings: Iterable[Finding]) -> bool:
    """Print a block; returns whether it holds a problem."""
    problem = False
    for finding in findings:
        print(f"  {finding.level:<8}{finding.text}")
        problem |= finding.level == "problem"
    return problem


def examine(videos: list[Path]) -> int:
    """Print the findings on this machine and on ``videos``.

    Returns:
        0, or 2 if anything is a problem.
    """
    print("This machine")
    problem = _print(check() for check in MACHINE_CHECKS)
    for video in videos:
        print(f"\n{video}")
        try:
            problem |= _print(examine_video(video))
        except ReenactError as error:
            problem |= _print([Finding("problem", str(error))])
    print(
        "\nNext: "
        + ("mend the problems above." if problem else "`lit-reenact demo`, or `lit-reenact track VIDEO...` on your own videos.")
    )
    return 2 if problem else 0
