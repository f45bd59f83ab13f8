"""Lightning data module: tracked clips as training, validation and test windows."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from itertools import zip_longest
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, FrameImages, KeyFrames, References, Runs, Track, Window
from lit_reenact.core.split import Split, SplitSettings
from lit_reenact.datamodules.augmentation import UNCHANGED, Augmentation
from lit_reenact.datamodules.background_plate import BackgroundPlate
from lit_reenact.datamodules.balance import frame_weights
from lit_reenact.datamodules.clip_frames import ClipFrames
from lit_reenact.datamodules.clip_references import ClipReferences
from lit_reenact.datamodules.conditioning_cache import CachedImages, DrawnImages, cache_channels, ensure_cache
from lit_reenact.datamodules.loader import ResumableLoader
from lit_reenact.datamodules.loading import LoadingSettings, refuse_useless_runs
from lit_reenact.datamodules.reference_cache import unpack_maps
from lit_reenact.datamodules.sampler import RunSampler, held_out_batches, make_generator, training_seed
from lit_reenact.datamodules.subject import Subject, read_subjects
from lit_reenact.datamodules.variations import UNVARIED, Variations
from lit_reenact.datamodules.varied_clip import VariedClip
from lit_reenact.datamodules.windows import Part, ReadImages, WindowDataset
from lit_reenact.networks.key_frames import pack_key_frames
from lit_reenact.networks.references import place_references, prepare_key_frames
from lit_reenact.networks.settings import InputSettings
from lit_reenact.networks.windows import WindowMemory, stack_windows, to_signed
from lit_reenact.rendering.renderer import Renderer

PARTS = {"training": "train", "validation": "validation", "test": "test"}


class TrackDataModule(LightningDataModule):
    """Windows of conditioning images and the real frames of one track or several, split along time.

    The loaders hand over ``Runs`` of uint8; on the training device they become ``Window`` of float32 in [-1, 1].

    Example:
        >>> data = TrackDataModule("outputs/tracks/target", InputSettings(image_size=128), batch_size=8)
        >>> data.prepare_data()
        >>> data.setup()
        >>> window = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    """

    def __init__(
        self,
        track: str | list[str],
        inputs: InputSettings = InputSettings(),
        batch_size: int = 16,
        balance: bool = True,
        split: SplitSettings = SplitSettings(),
        loading: LoadingSettings = LoadingSettings(),
        augmentation: Augmentation = UNCHANGED,
        variations: Variations = UNVARIED,
    ) -> None:
        """
        Args:
            track: folder that ``lit-reenact track`` wrote: the track and its working clip. For several actors a list of folders,
                or a text file with one folder per line, relative to the file.
            inputs: images and frames of the windows; ``image_size`` is at most that of the clip.
            batch_size: number of windows in a batch (of each device).
            balance: draw rare expressions, poses and gaze directions more often (``balance.py``), and all actors equally often,
                instead of every frame once an epoch.
            split: parts of each clip.
            loading: way from the track's folder to the batches.
            augmentation: small random changes of the training windows, decided by the seed and the batch step; off by default.
            variations: poses and expressions beyond the person's own performance to train on as well; off by default.

        Raises:
            ReenactError: a run of windows is empty, or optical flow is wanted where no window follows another.
        """
        super().__init__()
        refuse_useless_runs(loading, batch_size)
        shared = {"inputs": asdict(inputs), "split": asdict(split), "loading": asdict(loading)}  # plain, for checkpoints
        self.save_hyperparameters({"track": track, "batch_size": batch_size, "balance": balance, **shared}, logger=False)
        self.inputs = inputs
        self.batch_size = batch_size
        self.balance = balance
        self.loading = loading
        self.augmentation = augmentation
        self.variations = variations
        self.subjects = [
            Subject(folder, inputs.image_size, split, inputs.shape.span, inputs.conditioning) for folder in read_subjects(track)
        ]
        self.folder = self.subjects[0].folder
        self._memory = WindowMemory()
        self._bases: Tensor | None = None
        self._key_images: Tensor | None = None
        self._renderers: list[Renderer] = []

    def check(self) -> None:
        """Refuse unusable data before anything is written.

        Raises:
            ReenactError: no or another clip, images larger than the clip, parameters that are no numbers, a part shorter than a
                window or without one in which every face is known, an actor learned from frames outside the training part, or
                tracks of several face models.
        """
        models = {subject.track.info.face_model_hash: subject for subject in self.subjects}
        if len(models) > 1:
            first, second, *_ = models.values()
            raise ReenactError(
                f"{first.folder} was tracked with the face model {first.track.info.face_model!r} and {second.folder} with "
                f"{second.track.info.face_model!r}: track all actors with the same one"
            )
        self.setup()

    @property
    def track(self) -> Track:
        """Track of the first actor."""
        return self.subjects[0].track

    @property
    def split(self) -> Split:
        """Parts of the first actor's clip."""
        return self.subjects[0].split

    @cached_property
    def frames(self) -> list[ClipFrames]:
        """Frames of each clip; the same share of each clip is kept decoded."""
        lengths = [len(subject.track) for subject in self.subjects]
        room = self.loading.frame_cache_gib * 2**30 / (3 * self.inputs.image_size**2)
        share = min(1.0, room / sum(lengths))
        return [subject.frames(int(share * length)) for subject, length in zip(self.subjects, lengths, strict=True)]

    @cached_property
    def varied(self) -> list[VariedClip]:
        """The variations of each clip; none if there are to be none."""
        if not self.variations.copies:
            return []
        pairs = zip(self.subjects, self.frames, strict=True)
        return [VariedClip(subject, frames, self.variations) for subject, frames in pairs]

    @cached_property
    def references(self) -> list[ClipReferences]:
        """Reference frames of each clip; none if the network takes none."""
        count = self.inputs.references
        if not count:
            return []
        gap, rendering = self.loading.reference_gap, self.loading.rendering
        pairs = zip_longest(self.subjects, self.varied)
        return [ClipReferences(subject, count, gap, rendering, varied) for subject, varied in pairs]

    def key_frames(self) -> list[KeyFrames]:
        """Return the key frames of each clip; none if the network takes none."""
        return [references.key_frames for references in self.references]

    @property
    def renderer(self) -> Renderer:
        """Renderer of the first actor's conditioning images at the data module's size."""
        return self.subjects[0].renderer

    @cached_property
    def plates(self) -> list[BackgroundPlate]:
        """The background plate of each clip; none if the network takes none."""
        if not self.inputs.plate:
            return []
        pairs = zip(self.frames, self.subjects, strict=True)
        return [BackgroundPlate(frames, subject.track.info.clip_sha256, subject.training_frames()) for frames, subject in pairs]

    def base(self) -> Tensor:
        """Return what a network starts from: the mean of the valid training frames, and the plate if it takes one.

        Returns:
            float32 (C, H, W) in [-1, 1], C = 3, or 6 with a plate; (A, C, H, W) of A actors.
        """
        bases = self._all_bases(torch.device("cpu"))
        return bases[0] if len(bases) == 1 else bases

    def _all_bases(self, device: torch.device) -> Tensor:
        if self._bases is None:
            pairs = zip(self.frames, self.subjects, strict=True)
            self._bases = torch.stack([frames.mean(subject.training_frames()) for frames, subject in pairs])
            if self.plates:
                images = torch.stack([plate.read()[:3] for plate in self.plates])
                self._bases = torch.cat([self._bases, to_signed(images)], 1)
        self._bases = self._bases.to(device)
        return self._bases

    def prepare_data(self) -> None:
        """Write the cache files beside the tracks (one process a machine)."""
        self.check()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        for subject, frames in zip(self.subjects, self.frames, strict=True):
            frames.ensure()
            if self.loading.rendering == "cache":
                ensure_cache(subject.conditioning_file, subject.renderer.to(device), subject.track.parameters)
        for varied in self.varied:
            varied.ensure_frames()
            if self.loading.rendering == "cache":
                ensure_cache(varied.conditioning_file, varied.subject.renderer.to(device), varied.parameters)
        for references in self.references:
            references.ensure()
        for plate in self.plates:
            plate.ensure()

    def setup(self, stage: str | None = None) -> None:
        """Make the datasets of all three parts.

        Raises:
            ReenactError: the data is unusable, for a reason that ``check`` lists.
        """
        self.train_dataset, self.val_dataset, self.test_dataset = self._datasets

    @cached_property
    def _datasets(self) -> list[WindowDataset]:
        """Datasets of the parts, in the order of ``PARTS``."""
        images = [self._images(subject) for subject in self.subjects]
        return [self._dataset(name, images) for name in PARTS]

    def _dataset(self, name: str, images: list[ReadImages]) -> WindowDataset:
        flow, shape = self.loading.flow and name == "training", self.inputs.shape
        dataset = WindowDataset([self._part(actor, PARTS[name], read) for actor, read in enumerate(images)], shape, flow)
        missing = set(range(len(self.subjects))) - set(dataset.actor.tolist())
        if missing:
            raise ReenactError(
                f"the {name} part of {self.subjects[min(missing)].clip} has no {shape.span} frames in a row that show the "
                f"face: use another video, or a shorter window than {shape.length}"
            )
        return dataset

    def _part(self, actor: int, name: str, images: ReadImages) -> Part:
        subject = self.subjects[actor]
        span: range = getattr(subject.split, name)
        part = Part(images, self.frames[actor], span, subject.track.valid, subject.track.info.cuts)
        training = name == PARTS["training"]
        if training and self.varied:
            part = self.varied[actor].part(part)
        if not self.references:
            return part
        return self.references[actor].training(part) if training else self.references[actor].held_out(part)

    def _images(self, subject: Subject) -> ReadImages:
        if self.loading.rendering == "cache":
            return CachedImages(subject.conditioning_file)
        if self.loading.rendering == "worker":
            return DrawnImages(subject.renderer, subject.track.parameters)
        return subject.track.parameters.__getitem__

    def train_dataloader(self) -> DataLoader[Runs]:
        """Return a loader of runs of windows in random order, without an incomplete last batch unless it is the only one."""
        dataset, (rank, ranks) = self.train_dataset, self._place()
        sampler = RunSampler(
            dataset.stretches,
            self.batch_size * ranks,
            self.loading.run_length,
            seed=training_seed(),
            rank=rank,
            ranks=ranks,
            weights=self._weights(dataset) if self.balance or self.varied else None,
            actor=dataset.actor,
        )
        loader = ResumableLoader(dataset, batch_sampler=sampler, **self._loading())
        if self.trainer is not None:
            progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress
            loader.trained_batches = lambda: progress.current.processed
        return loader

    def val_dataloader(self) -> DataLoader[Runs]:
        return self._in_order(self.val_dataset)

    def test_dataloader(self) -> DataLoader[Runs]:
        return self._in_order(self.test_dataset)

    def _in_order(self, dataset: WindowDataset) -> DataLoader[Runs]:
        batches = held_out_batches(len(dataset), self.batch_size, *self._place())
        return DataLoader(dataset, batch_sampler=batches, **self._loading())

    def _loading(self) -> dict[str, Any]:
        """Return the settings of every loader; a generator of its own keeps it from drawing from the one that training uses."""
        return {
            "num_workers": self.loading.workers,
            "collate_fn": _unchanged,
            "persistent_workers": self.loading.workers > 0,
            "pin_memory": torch.cuda.is_available(),
            "generator": torch.Generator(),
        }

    def _place(self) -> tuple[int, int]:
        """Return the number of this process, and the number of all processes."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)

    def _weights(self, dataset: WindowDataset) -> Tensor:
        return torch.cat([self._weights_of(a, dataset.number[dataset.actor == a]) for a in range(len(self.subjects))])

    def _weights_of(self, actor: int, number: Tensor) -> Tensor:
        """Return the weights of one actor's windows, by their numbers (W,); a variation is as rare as its original."""
        subject = self.subjects[actor]
        own = number < len(subject.split.train)
        weights = frame_weights(subject.track, number[own].tolist()) if self.balance else torch.ones(int(own.sum()))
        if not self.varied:
            return weights
        return self.variations.sampling_weights(weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the clips' identity and key frames, which a checkpoint keeps as ``checkpoint["TrackDataModule"]``."""
        infos = [subject.track.info for subject in self.subjects]
        state = {"source": [info.source for info in infos], "clip_sha256": [info.clip_sha256 for info in infos]}
        return state | ({"key_frames": [pack_key_frames(frames) for frames in self.key_frames()]} if self.references else {})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse a checkpoint of other clips, or of other key frames.

        Raises:
            ReenactError: the checkpoint was trained on other clips, or with other key frames.
        """
        here = self.state_dict()
        if state_dict["clip_sha256"] != here["clip_sha256"]:
            raise ReenactError(
                f"the checkpoint was trained on another working clip (of {', '.join(state_dict['source'])}) than "
                f"{', '.join(str(subject.clip) for subject in self.subjects)} (of {', '.join(here['source'])}): choose the track "
                "that belongs to it, or train again"
            )
        for subject, own, saved in zip(self.subjects, here.get("key_frames", ()), state_dict.get("key_frames", ()), strict=False):
            if any(not torch.equal(own[name], saved[name]) for name in own):
                raise ReenactError(
                    f"the checkpoint was trained with other key frames of {subject.clip} than its track gives now: the track, or "
                    "the split of the clip, has changed; train again"
                )

    def on_after_batch_transfer(self, batch: Runs, dataloader_idx: int) -> Window:
        """Render the images, unless a loader has done so, and stack those of each window, on the training device."""
        images = self._render(batch, batch.images) if isinstance(batch.images, FaceParameters) else batch.images
        bases = self._all_bases(images.region.device)
        window = Window(
            conditioning=stack_windows(images.conditioning, batch.shown, self._memory),
            frame=to_signed(batch.frame),
            region=images.region[batch.shown[:, self.inputs.shape.current]],
            number=batch.number,
            actor=batch.actor,
            base=bases.expand(len(batch.frame), -1, -1, -1) if len(bases) == 1 else bases[batch.actor],
            flow=batch.flow,
        )
        training = self.trainer is not None and self.trainer.training
        if self.inputs.references:
            window = window._replace(references=self._place_references(batch))
        return self.augmentation(window, self._generator(), self.inputs.conditioning) if training else window

    def _place_references(self, batch: Runs) -> References:
        """Return the reference frames of a batch."""
        if self._key_images is None:
            size = self.inputs.image_size
            self._key_images = torch.stack([prepare_key_frames(frames.images, size) for frames in self.key_frames()])
        self._key_images = self._key_images.to(batch.maps.device)
        return place_references(self._key_images, batch.actor, unpack_maps(batch.maps), ~batch.near, self.inputs.image_size)

    def _generator(self) -> torch.Generator:
        """Return a generator that seed, batch step and process decide, so that a resumed training draws the same numbers."""
        step: int = self.trainer.lightning_module.batch_step  # type: ignore[union-attr, assignment]
        return make_generator(training_seed(), step, self._place()[0])

    def _render(self, batch: Runs, parameters: FaceParameters) -> FrameImages:
        """Render the conditioning and region images of the frames of a batch on the training device."""
        device = parameters.rotation.device
        if not self._renderers:
            self._renderers = [subject.renderer.to(device) for subject in self.subjects]
        if len(self._renderers) == 1:
            return FrameImages(self._renderers[0].draw(parameters))
        owner = batch.actor.new_empty(len(parameters))
        owner[batch.shown] = batch.actor[:, None].expand_as(batch.shown)
        shape = (len(parameters), cache_channels(self.inputs.conditioning), self.inputs.image_size, self.inputs.image_size)
        images = torch.empty(shape, dtype=torch.uint8, device=device)
        for actor in set(owner.tolist()):
            images[owner == actor] = self._renderers[actor].draw(parameters[owner == actor])
        return FrameImages(images)


def _unchanged(runs: Runs) -> Runs:
    return runs
