"""A trained run in memory. Nothing changes it, so all pages share it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import torch
import yaml
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters
from lit_reenact.edit import Slider, neck_of, sliders_of
from lit_reenact.face import FaceModel, load_face_model
from lit_reenact.networks.generator import Generator
from lit_reenact.rendering.renderer import Renderer
from lit_reenact.synthesis import target_references, target_renderer
from lit_reenact.synthesis.inference import PlaceReferences, load_generator
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.run_folder import RunFolder

if TYPE_CHECKING:
    from lit_reenact.synthesis.hair import HairRemover

RUNS_IN_MEMORY = 2
"""Number of runs that stay in memory; a network is large."""


@dataclass(frozen=True, eq=False)
class OpenRun:
    """A network with the target that it was trained on.

    Attributes:
        target: clip and track of the target.
        checkpoint: file of the network.
        generator: the network, ready to run.
        model: face model of the target's track.
        renderer: renderer of the target's conditioning images.
        references: function that places the target's key frames; None if the network takes none.
        neck: pivot of the target's head, from ``edit.neck_of``.
        sliders: name to slider, for every edit that the face model allows.
    """

    target: TrackedClip
    checkpoint: Path
    generator: Generator
    model: FaceModel
    renderer: Renderer
    references: PlaceReferences | None
    neck: Tensor
    sliders: dict[str, Slider]
    _reading: Lock = field(default_factory=Lock, repr=False)
    """Held during decoding and segmentation, whose libraries work for one thread at a time."""

    @cached_property
    def _hair_remover(self) -> HairRemover:
        from lit_reenact.synthesis.hair import HairRemover  # loads what only hair removal needs

        return HairRemover(self.model, self.target.track, self.target.frames, self.generator.image_size)

    def without_hair(self, frames: Tensor, parameters: FaceParameters) -> Tensor:
        """Remove the hair from frames (``HairRemover``). The first call takes seconds."""
        with self._reading:
            return self._hair_remover(frames, parameters)

    def real_frame(self, clip: TrackedClip, number: int) -> Tensor:
        """Return a frame of the target's or a source's clip, uint8 (S, S, 3), at the size of the generated frames."""
        with self._reading:
            return clip.read(range(number, number + 1), self.generator.image_size)[0]


def open_run(target: Path | None, checkpoint: Path, device: torch.device | str = "cpu") -> OpenRun:
    """Open a run, or return it from memory if it is open.

    Args:
        target: folder or file of the track that the network was trained on; None if ``checkpoint`` is a run folder, whose
            configuration names the track.
        checkpoint: checkpoint that ``lit-reenact fit`` wrote, or its run folder, whose best checkpoint is taken.
        device: device on which the network runs.

    Raises:
        ReenactError: the track or the checkpoint is missing or damaged, or they do not belong together.
    """
    file = RunFolder(checkpoint).best if checkpoint.is_dir() else checkpoint
    if not file.is_file():
        raise ReenactError(f"{checkpoint} holds no checkpoint (checkpoints/best.ckpt): train it first with `lit-reenact fit`")
    folder = find_target(checkpoint) if target is None else target.parent if target.suffix == ".safetensors" else target
    with _opening:
        return _open(folder.resolve(), file.resolve(), file.stat().st_mtime_ns, str(device))


_opening = Lock()


@lru_cache(RUNS_IN_MEMORY)
def _open(folder: Path, checkpoint: Path, changed: int, device: str) -> OpenRun:
    target = TrackedClip.load(folder)
    generator = load_generator(checkpoint, device, target.track, precision="auto")
    model = load_face_model(target.track.info.face_model)
    renderer = target_renderer(target.track, generator)
    references = target_references(target.track, generator)
    return OpenRun(target, checkpoint, generator, model, renderer, references, neck_of(target.track), sliders_of(model))


def find_target(run: Path) -> Path:
    """Return the folder of the track that a run was trained on, from the run's configuration.

    A relative path starts at the folder where the training was started, so it is tried from the working folder and from every
    folder above the run.

    Raises:
        ReenactError: the folder holds no configuration of a run, or the configuration does not name exactly one existing track.
    """
    config = RunFolder(run).config
    try:
        track = yaml.safe_load(config.read_text(encoding="utf-8"))["data"]["track"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ReenactError(f"{run} is no run folder of `lit-reenact fit`: name the target's track as well") from error
    tracks = [track] if isinstance(track, str) else list(track)
    if len(tracks) != 1:
        raise ReenactError(f"{run} was trained on {len(tracks)} tracks: name the one to be edited")
    for start in (Path(), *run.resolve().parents):
        if (start / tracks[0]).is_dir():
            return start / tracks[0]
    raise ReenactError(f"{run} was trained on the track {tracks[0]}, which is not here: name the folder where it lies now")
