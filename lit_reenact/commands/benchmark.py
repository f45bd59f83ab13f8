"""``lit-reenact benchmark``: methods on clips by one protocol, from a single file to one table and one page."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lit_reenact.commands.common import Commands
from lit_reenact.commands.job_array import add_job_array, print_submission, refuse_other_member
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting, write_text
from lit_reenact.core.paths import find_shipped

if TYPE_CHECKING:
    from lit_reenact.experiments.ablation.study import Problems
    from lit_reenact.experiments.benchmark.comparison import Results
    from lit_reenact.experiments.benchmark.definition import Benchmark
    from lit_reenact.experiments.benchmark.planning import BenchmarkPlan

LAUNCH = "sweeps/launch/benchmark_array.sbatch"

DESCRIPTION = """Compare methods on clips, as FILE says: configurations, which are trained on every clip with several seeds;
baselines that learn nothing; and folders of frames that other systems made. All are measured on the held-out frames of one
protocol.

  lit-reenact benchmark configs/benchmarks/clips.yaml

A file names `clips` (folders that `lit-reenact track` wrote) and `methods`, and may set `protocol`, `seeds`, `steps` and `size`:

  protocol: last-fifth
  clips: [outputs/tracks/anna, outputs/tracks/ben]
  methods:
    demo: {config: configs/demo.yaml}
    no_lpips: {config: configs/demo.yaml, changes: configs/ablations/no_lpips.yaml}
    warped: {baseline: "nearest frame, warped"}
    theirs: {frames: "their_frames/{clip}"}

Everything is checked before anything is trained. A run that was stopped is resumed; a finished one is not trained again,
and nothing is measured twice. DIR gets table.csv, table.json, table.md, table.tex, report.html, videos/CLIP.mp4 with all methods
side by side, and the runs."""


def add(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "benchmark",
        help="compare configurations, baselines and other systems' frames on several clips",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="YAML file of clips and methods")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the runs and results (default: outputs/benchmarks/ and FILE's name)",
    )
    add_job_array(parser)
    parser.add_argument(
        "--wandb",
        nargs="?",
        const="lit_reenact",
        metavar="PROJECT",
        help="also log table, page and videos to Weights & Biases; offline without a connection (project: %(const)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmark, or one of its trainings; return the exit code.

    Raises:
        ReenactError: the file or something that it names cannot be used, or a run is missing from the table.
    """
    from lit_reenact.experiments.benchmark.definition import read_benchmark
    from lit_reenact.experiments.benchmark.planning import plan_benchmark

    benchmark = read_benchmark(find_shipped(arguments.file))
    output = arguments.output or Path("outputs/benchmarks") / arguments.file.stem
    _refuse_overwriting(benchmark, output)
    plan = plan_benchmark(benchmark, output)
    if arguments.slurm:
        if not plan.members:
            raise ReenactError(f"{arguments.file} has no configuration to train: run it without --slurm")
        print_submission("benchmark", LAUNCH, len(plan.members))
    elif arguments.member is not None:
        _train_member(plan, arguments.member)
    else:
        _train_and_compare(plan, arguments)
    return 0


def _refuse_overwriting(benchmark: Benchmark, output: Path) -> None:
    from lit_reenact.experiments.benchmark.planning import written_files
    from lit_reenact.tracking.trackfile import track_files

    tracks = [file for track in benchmark.clips.values() for file in track_files(Path(track))]
    files = [file for method in benchmark.methods for file in (method.config, method.changes)]
    folders = [method.folder(clip) for method in benchmark.methods if method.frames for clip in benchmark.clips]
    refuse_overwriting(written_files(benchmark, output), [benchmark.file, *tracks, *files, *folders])


def _train_member(plan: BenchmarkPlan, number: int) -> None:
    from lit_reenact.experiments.ablation.training import train_member

    refuse_other_member(number, len(plan.members))
    method, own = plan.members[number]
    train_member(plan.trainings[method].study, plan.trainings[method].plans, own)


def _train_and_compare(plan: BenchmarkPlan, arguments: argparse.Namespace) -> None:
    from lit_reenact.experiments.ablation.training import train_all
    from lit_reenact.experiments.benchmark.comparison import compare
    from lit_reenact.experiments.benchmark.page import render_page
    from lit_reenact.experiments.benchmark.writing import write_tables

    problems: dict[str, dict[str, Problems]] = {}
    for method, one in plan.trainings.items():
        problems[method] = train_all(one.study, one.plans, not arguments.table_only, report=partial(print, flush=True))
    results = compare(plan, problems)
    write_tables(results, plan.output)
    write_text(plan.output / "report.html", render_page(results))
    print((plan.output / "table.md").read_text(encoding="utf-8"))
    print(f"Wrote {plan.output}/: table.csv, table.json, table.md, table.tex, report.html, videos/.")
    if arguments.wandb is not None:
        from lit_reenact.experiments.benchmark.wandb_log import log_benchmark

        log_benchmark(results, arguments.wandb)
    _report_failures(results, arguments.table_only)


def _report_failures(results: Results, table_only: bool) -> None:
    failures = [f"{row.entry.name} {problem}" for row in results.rows for problem in row.entry.problem_list]
    if failures and not table_only:
        raise ReenactError(f"runs are missing from the table: {'; '.join(failures)}")
