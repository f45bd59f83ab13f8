"""Sections of the report with numbers: the table against the real frames, the motion, the edits."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.evaluation.edit_fidelity import edits_rows
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.page import section
from lit_reenact.evaluation.table import differences_table, metrics_table, motion_table, verdict, word_table
from lit_reenact.metrics.face_recognition import DIFFERENT_PEOPLE, SAME_PERSON
from lit_reenact.metrics.frames import MS_SSIM_SIDE


def numbers_section(evaluation: Evaluation) -> str:
    """Return the verdict, the table of all methods and the differences between the model and each of them."""
    note = (
        '<p class="quiet">Small numbers: the 95 % confidence interval of the mean, from a bootstrap over blocks of '
        f"{evaluation.block} successive frames. It says how sure the mean over such frames is, not how another training would "
        "end. Face, mouth and eyes are where the tracked face model shows them. The baselines learn nothing. The nearest frame "
        "is the training frame whose tracked face lies nearest to the wanted one; warped, its face is moved to where the wanted "
        "one lies; face rendered, the wanted expression is rendered over it, after Face2Face. The mean frame is the mean of all "
        "training frames. Flow-warped error and flicker measure steadiness alone: a still picture does well there, so read them "
        "together with the others.</p>"
    )
    ahead = (
        "<h3>How far the model is ahead</h3>"
        '<p class="quiet">The model less the method of the column, over the same frames taken in pairs, with the 95 % confidence '
        "interval. Marked where the model is better by more than that; the others are open, or lost.</p>"
    )
    result = f'<p class="verdict">{escape(verdict(evaluation.means, evaluation.counted_frames))}</p>'
    table = metrics_table(evaluation.estimates)
    remarks = [*_identity_scale(evaluation), *_noise_floor(evaluation), *_missing_metrics(evaluation)]
    parts = (result, table, note, *remarks, ahead, differences_table(evaluation.differences))
    return section("Against the real frames" + (", matted" if evaluation.matted else ""), *parts)


def _identity_scale(evaluation: Evaluation) -> list[str]:
    """Return a sentence on the face distance between real frames, if it was measured."""
    references = evaluation.references
    if references is None or "face_distance" not in references.identity:
        return []
    own = _listed(references.identity["face_distance"])
    return [
        '<p class="quiet">Face distance between real training and held-out frames of this person: '
        f"{own} (5, 50, 95 % of the pairs). On 25 clips of about 20 people it was {_listed(SAME_PERSON)} for one person and "
        f"{_listed(DIFFERENT_PEOPLE)} (1, 50, 95 %) for different people.</p>"
    ]


def _noise_floor(evaluation: Evaluation) -> list[str]:
    """Return a sentence on the landmark detectors' own noise, if it was measured."""
    if evaluation.references is None or not evaluation.references.noise_floor:
        return []
    names = {"landmarks_68": "the second detector", "landmark_distance": "FaceMesh"}
    floors = ", ".join(f"{names[name]} {value:.2f} %" for name, value in evaluation.references.noise_floor.items())
    return [f'<p class="quiet">Noise floor of landmarks, between real frames and their mirror images: {floors}.</p>']


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _missing_metrics(evaluation: Evaluation) -> list[str]:
    """Return a sentence for each metric or interval that the table lacks."""
    metrics, reasons = evaluation.estimates[MODEL], []
    if "ms_ssim" not in metrics:
        reasons.append(f"MS-SSIM is left out: it needs images of {MS_SSIM_SIDE} pixels or more.")
    if "lpips" not in metrics:
        reasons.append("LPIPS, identity and the second detector are left out (--without-networks).")
    if "fid" in metrics:
        reasons.append("FID has no interval, and few frames make it too large: it compares methods on these very frames alone.")
    return [f'<p class="quiet">{reason}</p>' for reason in reasons]


def motion_section(evaluation: Evaluation) -> str:
    """Return the table that compares the motion of the methods' frames with that of the real ones."""
    if not evaluation.motion:
        text = "The output was not tracked again: add --retrack to measure how its motion follows."
        return section("Does the motion follow?", f'<p class="quiet">{text}</p>')
    text = (
        "<p>The real and the generated frames were tracked again from their pixels alone, as one video, so that the tracker "
        "takes the same pose for frontal and the same mouth for closed in both. In the mean frame nothing moves.</p>"
    )
    motion = {MODEL: evaluation.motion, **evaluation.other_motion}
    second = "landmarks_68"
    if second in evaluation.estimates[MODEL]:
        motion = {method: {**row, second: evaluation.estimates[method][second]} for method, row in motion.items()}
    return section("Does the motion follow?", text, motion_table(motion), *_noise_floor(evaluation))


def edits_sections(evaluation: Evaluation) -> list[str]:
    """Return the tables of what edits changed, in generated frames and in warped real ones; nothing if none were tried."""
    if not evaluation.edits:
        return []
    text = (
        "<p>The frames that the training did not use were generated once without an edit and once with each of these edits, held "
        "from beginning to end, and tracked again from their pixels alone as one video. Angles and blinks: how much more than "
        "without the edit; expression: how many times as strong. For a closed eye, the second column shows how far it is shut "
        "afterwards.</p>"
    )
    warped = (
        "<h3>The same without a network</h3>"
        '<p class="quiet">Here the face mesh warps the real frames to show the edits. A tracker takes extreme faces for less '
        "extreme ones, so it measures less of an exaggeration than the frames show. This is no upper bound: an eye that is "
        "warped shut still shows a streak of its ball.</p>"
    )
    tables = [word_table(edits_rows(edits)) for edits in (evaluation.edits, evaluation.warped_edits)]
    return [section("Do edits move what they name?", text, tables[0], warped, tables[1])]
