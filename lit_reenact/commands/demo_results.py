"""The demo's results: ``metrics.json``, the report, and the summary on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from lit_reenact.core.files import write_json
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.moments import held_out_moments, reenactment_moments
from lit_reenact.evaluation.motion import MotionCurves, motion_curves, motion_fidelity
from lit_reenact.evaluation.pictures import contact_sheet
from lit_reenact.evaluation.reenactment import Reenactment
from lit_reenact.evaluation.report import write_report
from lit_reenact.evaluation.report_pictures import write_grid
from lit_reenact.evaluation.table import number, text_table
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import code_version
from lit_reenact.synthesis import ReenactmentFiles
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.run_folder import RunFolder

SUMMARY = ("face_l1", "l1", "psnr", "ssim", "lpips", "face_lpips", "high_frequency", "csim_dlib")
"""Metrics in the demo's ``metrics.json``; ``lit-reenact evaluate`` writes all of them, with intervals."""


@dataclass(frozen=True)
class Demo:
    """Everything that the demo produced.

    Attributes:
        output: folder of all results.
        target: clip of the person who is driven.
        source: clip of the person who drives.
        run: training run of the target's network.
        generator: the target's network.
        evaluation: results on the held-out part of the target's clip.
        files: reenacted videos.
        motion: motion tracked again in the reenacted video.
        seconds: name of each step to its duration.
    """

    output: Path
    target: TrackedClip
    source: TrackedClip
    run: RunFolder
    generator: Generator
    evaluation: Evaluation
    files: ReenactmentFiles
    motion: MotionCurves
    seconds: Mapping[str, float]

    @cached_property
    def driving(self) -> MotionCurves:
        """Motion of the source."""
        return motion_curves(self.source.track)

    @cached_property
    def fidelity(self) -> dict[str, float | int | None]:
        """Comparison of the output's motion with the driving motion."""
        return motion_fidelity(self.motion, self.driving)

    @property
    def metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``."""
        means, distance = self.evaluation.means, self.evaluation.reference_distance
        return {
            "target": self.target.track.info.source,
            "source": self.source.track.info.source,
            "protocol": self.evaluation.protocol,
            "held_out_frames": self.evaluation.counted_frames,
            "held_out": {method: {name: values[name] for name in SUMMARY} for method, values in means.items()},
            **({} if distance is None else {"reference_distance": distance.to_dict()}),
            "motion": self.fidelity,
            "landmark_error_percent": {
                clip.track.info.source: round(float(clip.track.error.nanmean()), 3) for clip in (self.target, self.source)
            },
            "batch_steps": self.run.batch_step(),
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
        }


def write_results(demo: Demo) -> None:
    """Write ``metrics.json``, ``report.html`` and the pictures ``reenactment.png`` and ``comparison.png``."""
    write_json(demo.output / "metrics.json", demo.metrics)
    moments = reenactment_moments(demo.files.video, demo.source, demo.target, demo.generator)
    rows = {name: [moment.pictures[name] for moment in moments] for name in moments[0].pictures}
    contact_sheet(rows, demo.output / "reenactment.png")
    write_grid(demo.evaluation, demo.output / "comparison.png")
    reenactment = Reenactment(
        title=f"{demo.target.track.info.source} driven by {demo.source.track.info.source}",
        moments=moments,
        held_out_moments=held_out_moments(demo.evaluation, demo.target, demo.generator),
        driving=demo.driving,
        output=demo.motion,
        fidelity=demo.fidelity,
        fps=float(demo.source.fps),
        videos={"reenactment": demo.files.side_by_side, "self_reenactment": demo.output / "self_reenactment.mp4"},
        training_logs=demo.run.metrics,
        facts=_facts(demo),
    )
    write_report(demo.evaluation, demo.output / "report.html", reenactment)


def _facts(demo: Demo) -> dict[str, str]:
    target, source = demo.target.track, demo.source.track
    return {
        "target": f"{target.info.source}, {len(target)} frames, trained on the first {target.info.actor_frames}",
        "source": f"{source.info.source}, {len(source)} frames",
        "training": f"{demo.run.batch_step()} batch steps",
        "time": ", ".join(f"{name.lower()} {seconds:.0f} s" for name, seconds in demo.seconds.items()),
        "software": f"lit_reenact {code_version()}, torch {torch.__version__}",
    }


def print_summary(demo: Demo) -> None:
    """Print the held-out metrics of every method, the motion fidelity, and where the results are."""
    fidelity = {name: number(value, 2) for name, value in demo.fidelity.items()}
    print(f"\n{text_table(demo.evaluation.estimates)}")
    print(f"Means over {demo.evaluation.counted_frames} held-out frames, with 95 % confidence intervals.")
    print(
        f"Motion tracked again in the output: head yaw r {fidelity['yaw_r']}, slope {fidelity['yaw_slope']}; "
        f"mouth opening r {fidelity['mouth_opening_r']}, slope {fidelity['mouth_opening_slope']}"
    )
    videos = f"reenactment.mp4, {demo.files.side_by_side.name}, self_reenactment.mp4"
    print(f"\nWrote {demo.output}/: {videos}, comparison.png, metrics.json, report.html, tracks/, run/.")
    print(f"Every video there is marked as AI-generated. Next: open {demo.output / 'report.html'},")
    print("then try your own: lit-reenact demo --target A.mp4 --source B.mp4 -o outputs/mine")
