"""The targets of ``lit-reenact evaluate`` and the frames to measure on them: one person, or several people."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.core.split import PROTOCOLS

if TYPE_CHECKING:
    from lit_reenact.evaluation.evaluate import Evaluation
    from lit_reenact.tracking.tracked_clip import TrackedClip

CLIP = "{clip}"
"""Part of a path that stands for the name of a person's track folder."""

MANIFEST_HELP = "a text file with a track folder on each line, relative to the file, instead of --target"


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name targets and frames."""
    targets = parser.add_mutually_exclusive_group(required=True)
    targets.add_argument(
        "--target",
        type=Path,
        nargs="+",
        metavar="TRACK",
        help="a folder that `lit-reenact track` wrote; several folders are averaged as several people",
    )
    targets.add_argument("--manifest", type=Path, metavar="LIST", help=MANIFEST_HELP)
    candidate = parser.add_mutually_exclusive_group(required=True)
    candidate.add_argument(
        "--checkpoint",
        type=Path,
        metavar="C",
        help="file that `lit-reenact fit` wrote on this target, or the folder of its run"
        "; {clip} in the path becomes the name of the target's folder",
    )
    candidate.add_argument(
        "--frames",
        type=Path,
        metavar="FOLDER",
        help="PNG or JPEG pictures, one for each held-out frame in the order of their names, square, of the clip's size or "
        "smaller; the real frames are then compared at that size; {clip} becomes the name of the target's folder",
    )
    parser.add_argument(
        "--protocol",
        choices=tuple(PROTOCOLS),
        help="name of the split, which says which frames are held out: the last fifth, the last 350, 500 or 600 frames (default: "
        "the checkpoint's own, or last-fifth for --frames; a checkpoint that was trained with another one is refused)",
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        type=named_folder,
        metavar="NAME=FOLDER",
        help="another system's frames to measure as well, in the form of --frames; can be given several times",
    )


def named_folder(word: str) -> tuple[str, Path]:
    """Split ``NAME=FOLDER`` into its two parts."""
    name, _, folder = word.partition("=")
    if not name or not folder:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=FOLDER: give these frames a name for the table")
    return name, Path(folder)


def arguments_of_people(arguments: argparse.Namespace) -> dict[str, argparse.Namespace]:
    """Return the arguments of one person's evaluation for each target, by the names of the track folders.

    With several targets a person's files go to ``DIR/CLIP``, and ``{clip}`` in a path becomes the person's name.

    Raises:
        ReenactError: two targets have one name, a line of the manifest is no track, ``{clip}`` names a missing file, or several
            people would share a folder of pictures or a Weights & Biases run.
    """
    from lit_reenact.tracking.people import read_people

    people = read_people([str(target) for target in arguments.target or ()], arguments.manifest)
    if len(people) > 1:
        _refuse_sharing(arguments)
    return {name: _of_person(arguments, name, Path(track), len(people) > 1) for name, track in people.items()}


def _refuse_sharing(arguments: argparse.Namespace) -> None:
    options = {"--frames": arguments.frames, **{f"--also {name}=": folder for name, folder in arguments.also}}
    for option, folder in options.items():
        if folder is not None and CLIP not in str(folder):
            raise ReenactError(
                f"{option.rstrip('=')} {folder}: with several targets write {CLIP} where the name of a track's folder stands"
            )
    if arguments.wandb is not None and arguments.checkpoint is not None and CLIP not in str(arguments.checkpoint):
        raise ReenactError(
            f"--wandb logs to the run of a checkpoint, but several targets share {arguments.checkpoint}: leave --wandb out"
        )


def _of_person(arguments: argparse.Namespace, name: str, track: Path, is_one_of_several: bool) -> argparse.Namespace:
    own = argparse.Namespace(**vars(arguments))
    own.target = track
    own.checkpoint = _filled("--checkpoint", arguments.checkpoint, name)
    own.frames = _filled("--frames", arguments.frames, name)
    own.also = [(system, _filled(f"--also {system}", folder, name)) for system, folder in arguments.also]
    own.output = arguments.output / name if is_one_of_several else arguments.output
    return own


def _filled(option: str, path: Path | None, name: str) -> Path | None:
    """Return a path with the person's name in place of ``{clip}``."""
    if path is None or CLIP not in str(path):
        return path
    filled = Path(str(path).replace(CLIP, name))
    if not filled.exists():
        raise ReenactError(f"{option} {path}: there is no {filled} for the target {name}")
    return filled


def measure_people(
    people: Mapping[str, argparse.Namespace],
    output: Path,
    inputs: Sequence[Path | None],
    measure: Callable[[argparse.Namespace], Evaluation],
) -> None:
    """Measure several people one after another, and write their means.

    Args:
        people: person to the arguments of that person's evaluation.
        output: folder of the means.
        inputs: everything that is read.
        measure: function that measures one person and writes that person's files.

    Raises:
        ReenactError: people would be measured by different protocols or at different sizes, or one cannot be measured.
    """
    from lit_reenact.evaluation.people_report import PEOPLE_FILES, people_text, write_people
    from lit_reenact.evaluation.people_results import PersonResult, compare_people, comparison_of, refuse_other_comparisons

    refuse_overwriting([output / name for name in PEOPLE_FILES], inputs)
    kinds = {
        name: comparison_of(load_target(own.target), own.checkpoint, own.frames, own.protocol) for name, own in people.items()
    }
    refuse_other_comparisons(kinds)
    results = compare_people({name: PersonResult.of(measure(own)) for name, own in people.items()})
    write_people(results, output)
    print(people_text(results))
    print(f"Wrote {output}/: {', '.join(PEOPLE_FILES)}, and a folder for each person.")


def load_target(track: Path) -> TrackedClip:
    """Open a target, which its folder or its track file names."""
    from lit_reenact.tracking.tracked_clip import TrackedClip

    return TrackedClip.load(track.parent if track.suffix == ".safetensors" else track)
