"""The evaluations of several people together: means over people, each person's values, and the model against every baseline."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.split import ProtocolName
from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.frame_folder import pictures_in
from lit_reenact.evaluation.frame_metrics import Values
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.evaluation.people import Runs, summarise_people
from lit_reenact.evaluation.statistics import Summary
from lit_reenact.evaluation.table import COMPARED, METRICS, MOTION_METRICS
from lit_reenact.networks.settings import InputSettings
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.checkpoint import read_checkpoint
from lit_reenact.training.settings import module_settings


@dataclass(frozen=True)
class PersonResult:
    """The numbers of one person's evaluation, without its frames.

    Attributes:
        target: name of the clip's source.
        origin: text that names what generated the model's frames.
        frames: numbers of the held-out frames.
        fps: frames per second of the clip.
        size: side of the frames, pixels.
        protocol: name of the split.
        matted: whether all frames show the person on white.
        values: method to metric to the value of each frame, (N,) or (N, K).
        motion: method to motion metric to the value of each frame; empty if the frames were not tracked again.
    """

    target: str
    origin: str
    frames: range
    fps: float
    size: int
    protocol: str
    matted: bool
    values: Values
    motion: Values

    @classmethod
    def of(cls, evaluation: Evaluation) -> PersonResult:
        """Return the numbers of an evaluation."""
        one = evaluation
        size = one.real.shape[1]
        return cls(one.target, one.origin, one.frames, one.fps, size, one.protocol, one.matted, one.values, one.motion_values)


@dataclass(frozen=True)
class PeopleResults:
    """The comparison over people.

    Attributes:
        people: person to that person's numbers.
        methods: method to metric to the mean over people, with its interval and each person's value.
        differences: method to metric to the model's value less the method's, paired person by person and frame by frame.
        motion: method to motion metric to the mean over people; empty if the frames were not tracked again.
    """

    people: Mapping[str, PersonResult]
    methods: Mapping[str, Mapping[str, Summary]]
    differences: Mapping[str, Mapping[str, Summary]]
    motion: Mapping[str, Mapping[str, Summary]]


def compare_people(people: Mapping[str, PersonResult]) -> PeopleResults:
    """Summarise all methods over people, and compare the model with each of the others.

    Example:
        >>> results = compare_people({"anna": PersonResult.of(evaluation), "ben": PersonResult.of(other)})
        >>> results.methods["model"]["face_l1"].mean
    """
    fps = {person: one.fps for person, one in people.items()}
    values = {person: one.values for person, one in people.items()}
    motion = {person: one.motion for person, one in people.items()}
    first, *_ = values.values()
    differences = {
        method: {
            name: summarise_people(name, _runs(values, MODEL, name), _runs(values, method, name), fps)
            for name in COMPARED
            if name in first[MODEL]
        }
        for method in first
        if method != MODEL
    }
    return PeopleResults(people, _means(values, METRICS, fps), differences, _means(motion, MOTION_METRICS, fps))


def _means(values: Mapping[str, Values], known: Collection[str], fps: Mapping[str, float]) -> dict[str, dict[str, Summary]]:
    """Return the summary over people of each method in each known metric that was measured.

    Args:
        values: person to method to metric to the value of each frame.
        known: names of metrics.
        fps: person to the frames per second of that person's clip.
    """
    first, *_ = values.values()
    return {
        method: {name: summarise_people(name, _runs(values, method, name), None, fps) for name in known if name in first[method]}
        for method in first
    }


def _runs(values: Mapping[str, Values], method: str, name: str) -> Runs:
    return {person: {0: methods[method][name]} for person, methods in values.items()}


def comparison_of(
    target: TrackedClip, checkpoint: Path | None, pictures: Path | None, protocol: ProtocolName | None
) -> tuple[str, int]:
    """Return the protocol and the size in pixels that a person will be measured by, before anything is generated.

    Args:
        target: clip of the person.
        checkpoint: training checkpoint; None for pictures.
        pictures: folder of another system's frames; None for a checkpoint.
        protocol: name of the split that is asked for; None for the checkpoint's, or the default.

    Raises:
        ReenactError: the checkpoint or the first picture cannot be read, or the clip has no held-out part.
    """
    split = held_out_split(target, checkpoint, protocol=protocol)
    if checkpoint is not None:
        settings = module_settings(read_checkpoint(checkpoint).get("hyper_parameters", {}))
        return split.protocol, settings.get("inputs", InputSettings()).image_size
    found = pictures_in(pictures) if pictures is not None and pictures.is_dir() else []
    if not found:
        raise ReenactError(f"{pictures} holds no PNG or JPEG picture: put there one for each held-out frame of {target.clip}")
    try:
        with Image.open(found[0]) as picture:
            return split.protocol, picture.width
    except (UnidentifiedImageError, OSError) as error:
        raise ReenactError(f"{found[0]} cannot be read as a picture: write it again as PNG") from error


def refuse_other_comparisons(kinds: Mapping[str, tuple[str, int]]) -> None:
    """Refuse people who would be measured by different protocols or at different sizes.

    Args:
        kinds: person to protocol and size (``comparison_of``).

    Raises:
        ReenactError: two people differ; the message names both.
    """
    (first, like), *others = kinds.items()
    for person, own in others:
        if own != like:
            raise ReenactError(
                f"{person} would be measured by protocol {own[0]} at {own[1]} pixels, but {first} by {like[0]} at {like[1]}: "
                "only numbers of one protocol and one size can be averaged, so evaluate them apart"
            )
