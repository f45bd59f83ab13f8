"""The embedded clips: generated once from a photograph, then treated like any other video."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import atomic_output
from lit_reenact.demo_clips.actors import Person, other_person, photographed_person
from lit_reenact.demo_clips.animation import Stage
from lit_reenact.demo_clips.motion import MotionScript, sample_motion, save_motion
from lit_reenact.demo_clips.speech import synthesise, write_sound
from lit_reenact.tracking.tracker import TrackerSettings, track_video
from lit_reenact.video import VideoWriter, read_tags

VERSION = 2
"""Version written into every clip; raise it with every change that alters the frames, so that old clips are generated again."""


@dataclass(frozen=True)
class ClipRecipe:
    """Settings of one embedded clip.

    Attributes:
        person: function that builds the person to show.
        frames: number of frames.
        fps: frames per second.
        size: side of the square frames in pixels.
        seed: random seed of motion and noise.
        slowness: factor by which the person moves slower than in life; natural motion would be jerky at a low frame rate.
    """

    person: Callable[[], Person]
    frames: int
    fps: int
    size: int
    seed: int
    slowness: float = 1.0

    def motion(self) -> MotionScript:
        """Draw the motion of the clip; each call returns the same."""
        return sample_motion(self.frames, self.fps * self.slowness, self.seed)


RECIPES = {
    "target": ClipRecipe(photographed_person, frames=540, fps=25, size=256, seed=1),
    "source": ClipRecipe(other_person, frames=250, fps=25, size=256, seed=6),
    # The fewest frames whose validation part (a tenth, less one second) still holds a window of 11.
    "tiny": ClipRecipe(photographed_person, frames=160, fps=5, size=128, seed=3, slowness=3.0),
}


def ensure_embedded_clip(name: str, folder: Path) -> Path:
    """Generate an embedded clip unless this version of it is there already.

    Args:
        name: "target" (the photographed person), "source" (another one) or "tiny" (for trying things out).
        folder: folder for ``NAME.mp4`` and for ``NAME.motion.safetensors`` with the true motion.

    Returns:
        The path of the mp4.

    Raises:
        ReenactError: there is no clip of this name, or the folder cannot be written.
    """
    if name not in RECIPES:
        raise ReenactError(f"there is no embedded clip {name!r}: choose one of {', '.join(RECIPES)}")
    clip = Path(folder) / f"{name}.mp4"
    motion_file = clip.with_suffix(".motion.safetensors")
    if not (motion_file.exists() and _is_current(clip)):
        _generate(RECIPES[name], name, clip, motion_file)
    return clip


def ensure_embedded_track(name: str, folder: Path) -> Path:
    """Return the track folder ``FOLDER/NAME`` of an embedded clip; clip and track are generated unless they are there already."""
    clip = ensure_embedded_clip(name, folder)
    track_video(clip, Path(folder) / name, TrackerSettings(), size=RECIPES[name].size)
    return Path(folder) / name


def _is_current(clip: Path) -> bool:
    try:
        return bool(json.loads(read_tags(clip).get("description", "{}")).get("version") == VERSION)
    except (ReenactError, ValueError):
        return False


def _generate(recipe: ClipRecipe, name: str, clip: Path, motion_file: Path) -> None:
    motion = recipe.motion()
    stage = Stage(recipe.person(), recipe.size)
    random = np.random.default_rng(recipe.seed)
    with tempfile.TemporaryDirectory() as temporary:
        sound = Path(temporary) / "voice.mkv"
        write_sound(synthesise(motion["jaw"], recipe.fps), sound)
        with VideoWriter(clip, Fraction(recipe.fps), tags=_tags(name), audio_from=sound) as writer:
            for frame in tqdm(range(recipe.frames), desc=f"generating the embedded clip {name!r}", unit="frame"):
                writer.write(stage.render(motion, frame, random))
    lip_gap = np.array([stage.lip_gap(motion, frame) for frame in range(recipe.frames)])
    with atomic_output(motion_file) as partial:
        save_motion(motion, partial, lip_gap=lip_gap)


def _tags(name: str) -> dict[str, str]:
    return {
        "title": f"Embedded clip {name!r} of lit_reenact",
        "comment": "AI-generated (synthetic): animated by a program from a public-domain photograph, not a recording",
        "description": json.dumps(
            {"version": VERSION, "photograph": "NASA portrait of Eileen Collins, skimage.data.astronaut()"}
        ),
    }
