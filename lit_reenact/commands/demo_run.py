"""Steps of the demo: two clips in, a reenacted video and a report out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lit_reenact.commands.demo_results import Demo, print_summary, write_results
from lit_reenact.core.devices import computes_in_bfloat16
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.core.paths import config_path
from lit_reenact.demo_clips.clips import ensure_embedded_clip
from lit_reenact.evaluation.candidates import synthesise_candidate
from lit_reenact.evaluation.evaluate import evaluate
from lit_reenact.evaluation.motion import motion_curves, retrack
from lit_reenact.synthesis import ReenactmentSettings, write_reenactment
from lit_reenact.synthesis.driven_video import guard_report_path
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.synthesis.video_plan import video_files
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.tracker import TrackerSettings, track_video, written_by_tracking
from lit_reenact.training import fit
from lit_reenact.training.run_folder import AnotherRunError, RunFolder

STEPS = 6
"""Number of steps that ``run_demo`` announces."""


@dataclass
class Progress:
    """Numbered steps on the terminal.

    Attributes:
        seconds: name of each finished step to its duration.
    """

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, cost: str) -> Iterator[None]:
        """Announce a step and record how long the block takes."""
        print(f"\n[{len(self.seconds) + 1}/{STEPS}] {name} ({cost})", flush=True)
        start = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - start


def run_demo(
    output: Path, target: Path | None = None, source: Path | None = None, *, retrain: bool = False, steps: int | None = None
) -> dict[str, Any]:
    """Prepare, track, train, test on held-out frames, reenact, and write everything into one folder.

    Clips, tracks and the trained network that are already there are used again.

    Args:
        output: folder for ``reenactment.mp4``, ``self_reenactment.mp4``, ``metrics.json``, ``report.html``, tracks and the run.
        target: video of the person to drive; None for an embedded clip.
        source: video of the person who drives; None for an embedded clip.
        retrain: train again although the folder holds a trained network.
        steps: batch steps of training; None for those of ``configs/demo.yaml``.

    Returns:
        The content of ``metrics.json``.

    Raises:
        ReenactError: a video is unusable, an output would overwrite it, or the folder holds a network of another video.
    """
    refuse_overwriting(_output_files(output, retrain), [target, source])
    progress = Progress()
    output.mkdir(parents=True, exist_ok=True)
    with progress.step("Clips", "embedded ones are animated from a public-domain photograph: under a minute"):
        target_video = target or ensure_embedded_clip("target", output / "clips")
        source_video = source or ensure_embedded_clip("source", output / "clips")
    with progress.step("Tracking", "landmarks, face model, light: about as long as the clips play"):
        target_clip = _track(target_video, output / "tracks" / "target")
        source_clip = _track(source_video, output / "tracks" / "source")
    with progress.step("Training", "minutes on a CPU; after Ctrl-C the same command goes on from there"):
        run = _train(output, target_clip, retrain, steps)
    with progress.step("Held-out frames", "the end of the target's clip, never trained on, and the baselines"):
        drivers = {source_clip.track.info.source: source_clip.track}
        candidate = synthesise_candidate(target_clip, run.best, video=output / "self_reenactment.mp4", drivers=drivers)
        evaluation = evaluate(target_clip, candidate)
    with progress.step("Reenactment", "the source drives the target"):
        generator = load_generator(run.best, target=target_clip.track)
        settings = ReenactmentSettings(rate="source")  # so that its motion can be compared with the source's, frame by frame
        files = write_reenactment(source_clip, target_clip, generator, output / "reenactment.mp4", settings, run.best)
    with progress.step("Motion", "tracked once more, from the reenacted video's pixels alone"):
        motion = motion_curves(retrack(files.video))
    demo = Demo(output, target_clip, source_clip, run, generator, evaluation, files, motion, progress.seconds)
    write_results(demo)
    print_summary(demo)
    return demo.metrics


def _output_files(output: Path, retrain: bool) -> Iterator[Path]:
    for name in ("reenactment.mp4", "self_reenactment.mp4"):
        yield from video_files(output / name)
    yield guard_report_path(output / "reenactment.mp4")
    yield from (output / name for name in ("metrics.json", "report.html", "reenactment.png", "comparison.png"))
    yield from (file for role in ("target", "source") for file in written_by_tracking(output / "tracks" / role))
    run = RunFolder(output / "run" / "seed-0")
    yield from [run.path] if retrain else run.written


def _track(video: Path, folder: Path) -> TrackedClip:
    track_video(video, folder, TrackerSettings())
    return TrackedClip.load(folder)


def _train(output: Path, target: TrackedClip, retrain: bool, steps: int | None) -> RunFolder:
    run = RunFolder(output / "run" / "seed-0")
    if retrain and run.path.exists():
        shutil.rmtree(run.path)
    arguments = [f"--config={config_path('demo.yaml')}", f"--track={target.folder}", f"--output={output}", "--name=run"]
    arguments.append(f"--trainer.precision={_precision()}")
    if steps is not None:
        arguments.append(f"--budget.max_batch_steps={steps}")
    try:
        return fit.run_fit(arguments)
    except AnotherRunError as error:
        raise ReenactError(
            f"{run.path} holds a network that was trained on another target or with other settings: "
            "add --retrain to train again, or choose another folder with -o"
        ) from error


def _precision() -> str:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return "bf16-mixed" if computes_in_bfloat16(device) else "32-true"
