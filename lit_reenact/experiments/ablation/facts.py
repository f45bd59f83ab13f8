"""The description of a comparison, which its tables and its page show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lit_reenact.evaluation.intervals import block_length
from lit_reenact.experiments.ablation.measurements import Measurements
from lit_reenact.experiments.ablation.planning import StudyPlan
from lit_reenact.experiments.ablation.study import PeopleStudy

CHANCE = "better or worse stands only where it leaves out 0. With so many comparisons, one in twenty does so by chance."


def describe(people: PeopleStudy, plans: Mapping[str, StudyPlan], likes: Mapping[str, Measurements]) -> dict[str, Any]:
    """Return the description of a comparison as plain values, with a note for people.

    Args:
        people: the study.
        plans: person to plan, of the people who were measured.
        likes: person to the measurements of a run of the reference.
    """
    study = people.any
    clips = {person: _clip(plan, likes[person]) for person, plan in plans.items()}
    like, plan = next(iter(likes.values())), next(iter(plans.values()))
    one = next(iter(clips.values()))
    several = len(people.studies) > 1
    return {
        "target": ", ".join(clips) if several else one["target"],
        "base": str(study.base),
        "steps": plan.steps,
        "seeds": study.seeds,
        "protocol": like.protocol,
        **({"people": clips} if several else {"frames": one["frames"]}),
        "size": like.size,
        **({} if several else {"block_frames": one["block_frames"]}),
        "note": _note_of_people(study.seeds, plan, likes) if several else _note(study.seeds, plan, like, one),
    }


def _clip(plan: StudyPlan, like: Measurements) -> dict[str, Any]:
    return {
        "target": plan.target.track.info.source,
        "frames": [like.test.start, like.test.stop],
        "block_frames": block_length(float(plan.target.fps), len(like.test)),
    }


def _note(seeds: int, plan: StudyPlan, like: Measurements, clip: Mapping[str, Any]) -> str:
    note = (
        f"Frames {like.test.start} to {like.test.stop - 1} of {clip['target']} (protocol {like.protocol}), which no training "
        f"saw, at {like.size} pixels. {seeds} trainings of each, {plan.steps} batch steps long. Values: mean over the seeds ± "
        "their standard deviation, and in brackets the 95 % confidence interval over frames (bootstrap over blocks of "
        f"{clip['block_frames']}). Differences: mean over the seeds of the differences paired by seed and by frame, and in "
        f"brackets the 95 % confidence interval over frames and seeds together; {CHANCE}"
    )
    if seeds == 1:
        note += " One seed does not show how another training would end: these confidence intervals are over frames alone."
    return note


def _note_of_people(seeds: int, plan: StudyPlan, likes: Mapping[str, Measurements]) -> str:
    like = next(iter(likes.values()))
    note = (
        f"Held-out frames of {', '.join(likes)} (protocol {like.protocol}), which no training saw, at {like.size} pixels. "
        f"{seeds} trainings of each for every person, {plan.steps} batch steps long, on that person's clip alone. Values: mean "
        "over people and seeds ± the standard deviation of the people, and in brackets the 95 % confidence interval for people "
        "like these (hierarchical bootstrap of people, seeds and blocks of frames, at least Student's t interval over the "
        f"people). Differences: paired by person, seed and frame, with the same interval; {CHANCE} Each person's own values "
        "follow, with intervals over that person's frames and seeds."
    )
    if len(likes) < 5:
        note += " So few people say little about others: the intervals of their means are wide."
    return note
