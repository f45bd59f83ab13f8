"""The whole way with one command: two clips in, a reenacted video and a report out."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lit_reenact.core.devices import computes_in_bfloat16
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.core.paths import config_path
from lit_reenact.demo_clips.clips import ensure_embedded_clip
from lit_reenact.evaluation.motion import Motion, motion_fidelity, motion_of, retrack, varied_frames
from lit_reenact.evaluation.pictures import contact_sheet
from lit_reenact.evaluation.report import Moment, Report, write_report
from lit_reenact.evaluation.self_reenactment import HeldOut, evaluate_held_out
from lit_reenact.evaluation.table import number
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import code_version
from lit_reenact.synthesis import ReenactmentSettings, conditioning_picture, error_picture, target_renderer, write_reenactment
from lit_reenact.synthesis.driven_video import guard_report_path
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.synthesis.video_plan import video_files
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.tracker import TrackerSettings, track_video, written_by_tracking
from lit_reenact.training import fit
from lit_reenact.training.run_folder import AnotherRunError, RunFolder
from lit_reenact.transfer import reenact
from lit_reenact.video import FrameReader, resize_frames

STEPS = 6
COLUMNS = 8
"""Moments on each sheet of the report."""


@dataclass
class Progress:
    """Numbered steps on the terminal, and how long each took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, cost: str) -> Iterator[None]:
        print(f"\n[{len(self.seconds) + 1}/{STEPS}] {name} ({cost})", flush=True)
        start = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - start


def run_demo(
    output: Path, target: Path | None = None, source: Path | None = None, *, retrain: bool = False, steps: int | None = None
) -> dict[str, Any]:
    """Prepare, track, train, test on held-out frames, reenact, and write everything into one folder.

    What is there already (clips, tracks, the trained network) is used again.

    Args:
        output: folder for ``reenactment.mp4``, ``self_reenactment.mp4``, ``metrics.json``, ``report.html``, tracks and the run.
        target: video of the actor who is driven; an embedded clip without it.
        source: video of the actor who drives; likewise.
        retrain: train anew although the folder holds a trained network.
        steps: batch steps of training, instead of those of ``configs/demo.yaml``.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        ReenactError: unusable videos, or a folder that holds a network of another video.
    """
    refuse_overwriting(_written(output, retrain), [target, source])
    progress = Progress()
    output.mkdir(parents=True, exist_ok=True)
    with progress.step("Clips", "embedded ones are animated from a public-domain photograph: under a minute"):
        videos = (
            target or ensure_embedded_clip("target", output / "clips"),
            source or ensure_embedded_clip("source", output / "clips"),
        )
    with progress.step("Tracking", "landmarks, face model, light: about as long as the clips play"):
        driven, driving = (
            _tracked(video, output / "tracks" / role) for video, role in zip(videos, ("target", "source"), strict=True)
        )
    with progress.step("Training", "minutes on a CPU; after Ctrl-C the same command goes on from there"):
        run = _train(output, driven, retrain, steps)
        generator = load_generator(run.best, target=driven.track)
    with progress.step("Held-out frames", "the end of the target's clip, never trained on"):
        held_out = evaluate_held_out(driven, generator, output / "self_reenactment.mp4", checkpoint=run.best.name)
    with progress.step("Reenactment", "the source drives the target"):
        settings = ReenactmentSettings(rate="source")  # so that its motion can be compared with the source's, frame by frame
        written = write_reenactment(driving, driven, generator, output / "reenactment.mp4", settings, run.best)
    with progress.step("Motion", "tracked once more, from the reenacted video's pixels alone"):
        expected, found = motion_of(driving.track), motion_of(retrack(written.video))
    results = {
        "target": driven.track.info.source,
        "source": driving.track.info.source,
        "held_out_frames": held_out.measured,
        "held_out": held_out.metrics,
        "motion": motion_fidelity(found, expected),
        "landmark_error_percent": {
            clip.track.info.source: round(float(clip.track.error.nanmean()), 3) for clip in (driven, driving)
        },
        "batch_steps": run.batch_step(),
        "seconds": {name: round(value, 1) for name, value in progress.seconds.items()},
    }
    _write_json(output / "metrics.json", results)
    _write_report(output, written.side_by_side, run, (driving, driven), generator, held_out, (expected, found), results)
    _print_summary(output, results, written.side_by_side)
    return results


def _written(output: Path, retrain: bool) -> Iterator[Path]:
    for name in ("reenactment.mp4", "self_reenactment.mp4"):
        yield from video_files(output / name)
    yield guard_report_path(output / "reenactment.mp4")
    yield from (output / name for name in ("metrics.json", "report.html", "reenactment.png"))
    yield from (file for role in ("target", "source") for file in written_by_tracking(output / "tracks" / role))
    run = RunFolder(output / "run" / "seed-0")
    yield from [run.path] if retrain else run.written


def _tracked(video: Path, folder: Path) -> TrackedClip:
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
            "add --retrain to train anew, or choose another folder with -o"
        ) from error


def _precision() -> str:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return "bf16-mixed" if computes_in_bfloat16(device) else "32-true"


def _write_json(path: Path, values: dict[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(values, indent=2) + "\n")
    os.replace(partial, path)


def _write_report(
    output: Path,
    beside: Path,
    run: RunFolder,
    clips: tuple[TrackedClip, TrackedClip],
    generator: Generator,
    held_out: HeldOut,
    motions: tuple[Motion, Motion],
    results: dict[str, Any],
) -> None:
    driving, driven = clips
    moments = _reenactment_moments(output / "reenactment.mp4", driving, driven, generator, motions[0])
    rows = {name: [moment.pictures[name] for moment in moments] for name in moments[0].pictures}
    contact_sheet(rows, output / "reenactment.png")
    write_report(
        output / "report.html",
        Report(
            title=f"{driven.track.info.source} driven by {driving.track.info.source}",
            reenactment=moments,
            self_reenactment=_held_out_moments(held_out, driven),
            metrics=held_out.metrics,
            test_frames=held_out.measured,
            fidelity=results["motion"],
            driving=motions[0],
            output=motions[1],
            fps=float(driving.fps),
            training_logs=run.metrics,
            videos={"reenactment": beside, "self_reenactment": output / "self_reenactment.mp4"},
            facts=_facts(driving, driven, results),
        ),
    )


def _reenactment_moments(
    video: Path, driving: TrackedClip, driven: TrackedClip, generator: Generator, motion: Motion
) -> Sequence[Moment]:
    numbers = varied_frames(motion, COLUMNS)
    index = torch.tensor(numbers)
    drawn = target_renderer(driven.track, generator)(reenact(driving.track, driven.track)[index])
    conditioning = conditioning_picture(drawn.cpu(), generator.conditioning)
    real = resize_frames(driving.frames.read(numbers), generator.image_size)
    made = FrameReader(video).read(numbers)
    return [
        Moment(f"{number / float(driving.fps):.1f} s", {"driving": real[k], "conditioning": conditioning[k], "output": made[k]})
        for k, number in enumerate(numbers)
    ]


def _held_out_moments(held_out: HeldOut, driven: TrackedClip) -> Sequence[Moment]:
    errors = error_picture(held_out.made, held_out.real)
    motion = motion_of(driven.track)[held_out.frames.start : held_out.frames.stop]
    return [
        Moment(
            f"{held_out.frames[k] / float(driven.fps):.1f} s",
            {"input": held_out.real[k], "conditioning": held_out.conditioning[k], "output": held_out.made[k], "error": errors[k]},
        )
        for k in varied_frames(motion, COLUMNS)
    ]


def _facts(driving: TrackedClip, driven: TrackedClip, results: dict[str, Any]) -> dict[str, str]:
    spent = ", ".join(f"{name.lower()} {seconds:.0f} s" for name, seconds in results["seconds"].items())
    target, source = driven.track, driving.track
    return {
        "target": f"{target.info.source}, {len(target)} frames, trained on the first {target.info.actor_frames}",
        "source": f"{source.info.source}, {len(source)} frames",
        "training": f"{results['batch_steps']} batch steps",
        "time": spent,
        "software": f"lit_reenact {code_version()}, torch {torch.__version__}",
    }


def _print_summary(output: Path, results: dict[str, Any], beside: Path) -> None:
    print(f"\n{'held-out frames':<16}{'face L1':>9}{'PSNR':>8}{'SSIM':>8}")
    for name, values in results["held_out"].items():
        print(f"{name:<16}{values['face_l1']:>9.2f}{values['psnr']:>8.2f}{values['ssim']:>8.3f}")
    motion = {name: number(value, 2) for name, value in results["motion"].items()}
    print(
        f"motion found again in the output: head yaw r {motion['yaw_r']}, slope {motion['yaw_slope']}; "
        f"mouth opening r {motion['mouth_opening_r']}, slope {motion['mouth_opening_slope']}"
    )
    print(f"\nWrote {output}/: reenactment.mp4, {beside.name}, self_reenactment.mp4, metrics.json, report.html, tracks/, run/.")
    print(f"Every video there is marked as AI-generated. Next: open {output / 'report.html'},")
    print("then try your own: lit-reenact demo --target A.mp4 --source B.mp4 -o outputs/mine")
