"""A small synthetic track with its clip, generated without a tracker, so that all parameters are known exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor
from torch.utils.data import default_collate

from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import (
    LANDMARK_COUNT,
    Actor,
    Camera,
    CropBox,
    FaceParameters,
    KeyFrames,
    Landmarks,
    Track,
    TrackInfo,
    Window,
)
from lit_reenact.core.split import SplitSettings
from lit_reenact.datamodules import TrackDataModule
from lit_reenact.datamodules.loading import LoadingSettings
from lit_reenact.face import load_face_model
from lit_reenact.face.model import FaceModel
from lit_reenact.networks.settings import InputSettings
from lit_reenact.provenance import recording_tags
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.tracking.trackfile import CLIP_NAME, save_track
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.settings import module_settings
from lit_reenact.video import VideoWriter


def smooth_noise(frames: int, channels: int, scale: float, generator: torch.Generator) -> Tensor:
    """Return sums of slow sine waves of random phase, about ``scale`` in size: (frames, channels)."""
    time = torch.arange(frames)[:, None, None] / 10
    frequency = 0.5 + 1.5 * torch.rand(3, channels, generator=generator)
    phase = 2 * math.pi * torch.rand(3, channels, generator=generator)
    return scale * torch.sin(frequency * time + phase).mean(1)


def make_parameters(model: FaceModel, frames: int, seed: int = 0) -> FaceParameters:
    """Return a head that turns, talks and looks around smoothly; in the camera of ``make_track`` it is 0.6 of the image wide."""
    generator = torch.Generator().manual_seed(seed)
    noise = lambda channels, scale: smooth_noise(frames, channels, scale, generator)  # noqa: E731
    illumination = noise(27, 0.05)
    illumination[:, :3] += 2.8  # an even light that shows about 0.8 of the albedo
    low, high = model.expression_bounds.unbind(-1)
    return FaceParameters(
        rotation=noise(3, 0.4),
        translation=torch.tensor([0.0, 0.0, 1100.0]) + noise(3, 15.0),
        identity=torch.zeros(frames, len(model.identity_scale)),
        expression=noise(len(low), 0.5).clamp(low, high),
        illumination=illumination,
        gaze=noise(4, 0.3),
    )


def make_key_frames(parameters: FaceParameters, numbers: Sequence[int], size: int = 64) -> KeyFrames:
    """Return key frames with the parameters of some frames and smooth, colourful pictures that have nothing to do with them."""
    coarse = torch.rand(len(numbers), 3, 6, 6, generator=torch.Generator().manual_seed(0))
    images = (torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear") * 255).to(torch.uint8)
    return KeyFrames(torch.tensor(numbers), images, parameters[torch.tensor(numbers)])


def make_actor(model: FaceModel, seed: int = 0) -> Actor:
    """Return the mean face with a blotchy skin."""
    generator = torch.Generator().manual_seed(seed)
    blotches = torch.rand(1, 3, 6, 6, generator=generator)
    skin = torch.tensor([0.8, 0.6, 0.5])[:, None, None]
    reflectance = skin + 0.2 * (torch.nn.functional.interpolate(blotches, size=(64, 64), mode="bilinear")[0] - 0.5)
    return Actor(
        neutral=model.vertices.clone(),
        identity=torch.zeros(len(model.identity_scale)),
        reflectance=reflectance,
        eyeballs=model.eyeballs.clone(),
        gaze_offset=torch.zeros(4),
        correctives=torch.zeros(0, 468, 3),
    )


def make_track(folder: Path, frames: int = 120, size: int = 64, fps: Fraction = Fraction(5), seed: int = 0) -> Track:
    """Write ``folder/clip.mp4`` and ``folder/track.safetensors``.

    The clip shows the diffuse face of the track's own conditioning images over a textured background. The slow frame rate
    makes the second between the parts of a split short: 120 frames are enough for fractions (0.5, 0.25) and short windows.
    """
    model = load_face_model("builtin")
    camera = Camera(focal=4.5 * size, width=size, height=size)
    actor, parameters = make_actor(model, seed), make_parameters(model, frames, seed)
    clip = folder / CLIP_NAME
    _write_clip(clip, ConditioningRenderer(model, actor, camera, size)(parameters), fps, seed)
    info = TrackInfo(
        source="synthetic.mp4",
        source_sha256="0" * 64,
        clip_sha256=sha256_of(clip),
        fps=str(fps),
        crop=CropBox(0, 0, size),
        face_model=model.name,
        face_model_hash=model.hash,
        actor_frames=frames // 2,
        settings={},
    )
    track = Track(
        parameters=parameters,
        actor=actor,
        camera=camera,
        valid=torch.ones(frames, dtype=torch.bool),
        error=torch.zeros(frames),
        corrective=torch.zeros(frames, 0),
        corrected_error=torch.zeros(frames),
        photometric_error=torch.zeros(frames, 2),
        landmarks=Landmarks(torch.zeros(frames, LANDMARK_COUNT, 3), torch.ones(frames, dtype=torch.bool)),
        info=info,
    )
    save_track(track, folder)
    return track


@pytest.fixture(scope="session")
def track_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of ``make_track`` with its defaults, which no test may change."""
    folder = tmp_path_factory.mktemp("synthetic")
    make_track(folder)
    return folder


def make_data(folder: Path | list[str], **settings: Any) -> TrackDataModule:
    """Return the windows, 3 frames of 32 pixels, of a ``make_track`` folder: 60 to train, 25 to validate, 25 to test.

    The dictionaries ``inputs``, ``split`` and ``loading`` override these settings.
    """
    inputs = {"image_size": 32, "window": 3, **settings.pop("inputs", {})}
    split = {"fractions": (0.5, 0.25), **settings.pop("split", {})}
    loading = {"workers": 0, **settings.pop("loading", {})}
    return TrackDataModule(
        folder if isinstance(folder, list) else str(folder),
        InputSettings(**inputs),
        split=SplitSettings(**split),
        loading=LoadingSettings(**loading),
        **{"batch_size": 4, "balance": False, **settings},
    )


TINY: dict[str, dict[str, Any]] = {
    "inputs": {"window": 3, "image_size": 32},
    "generator": {"channels": 4, "levels": 3, "max_channels": 8},
    "discriminator": {"channels": 4, "layers": 1},
    "losses": {"lpips": 0.0},
}
"""Networks that train in milliseconds, for ``make_data``."""


def groups_of(base: dict[str, dict[str, Any]], **groups: Any) -> dict[str, Any]:
    """Return the arguments of a module: the settings of ``base``, overridden group by group."""
    changed = {name: {**base.get(name, {}), **value} if isinstance(value, dict) else value for name, value in groups.items()}
    return module_settings({**base, **changed})


def make_module(base: dict[str, dict[str, Any]] = TINY, **groups: Any) -> ReenactModule:
    """Return a module with settings that override ``base``: ``make_module(generator={"head": "tanh"})``."""
    return ReenactModule(**groups_of(base, **groups))


def make_blend_module(base: dict[str, dict[str, Any]] = TINY, **generator: Any) -> ReenactModule:
    """Return a module whose generator blends 2 references, the mean frame and painted pixels; its shifts and masks vary."""
    torch.manual_seed(0)
    module = make_module(base, inputs={"references": 2}, generator={"head": "blend", **generator})
    network: Any = module.generator
    torch.nn.init.normal_(network.to_shift.weight, std=0.2)
    torch.nn.init.normal_(network.to_frame[-1].weight, std=0.2)
    network.set_base(torch.rand_like(network.mean_frame) * 2 - 1)
    return module


def make_trainer(folder: Path, *callbacks: Callback, **settings: Any) -> Trainer:
    """Return a silent CPU trainer with the run folder ``folder``, whose ``val_check_interval`` counts batches over all epochs."""
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    counted = {"max_epochs": -1, "check_val_every_n_epoch": None, "val_check_interval": 1000}
    return Trainer(
        default_root_dir=folder, callbacks=list(callbacks), accelerator="cpu", **{"devices": 1, **quiet, **counted, **settings}
    )


def collate_windows(windows: Sequence[Window]) -> Window:
    """Stack windows of one sample each, none of which has reference frames."""
    return Window(*default_collate([tuple(window[:-1]) for window in windows]))


def _write_clip(clip: Path, conditioning: Tensor, fps: Fraction, seed: int) -> None:
    size = conditioning.shape[-1]
    texture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed + 1))
    background = torch.nn.functional.interpolate(texture, size=(size, size), mode="bilinear")[0] * 200  # (3, size, size)
    picture = torch.maximum(conditioning[:, 0:3], conditioning[:, 6:9])  # face and eyes
    shown = (conditioning[:, 3:9] > 0).any(1, keepdim=True)
    images = torch.where(shown, picture, background.to(torch.uint8)).permute(0, 2, 3, 1)
    with VideoWriter(clip, fps, tags=recording_tags("synthetic clip")) as video:
        for image in images:
            video.write(image)
