"""A tracked clip as training, validation and test windows."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, Sampler, WeightedRandomSampler

from datamodules.balance import frame_weights
from datamodules.conditioning_cache import cache_path, ensure_cache
from datamodules.windows import ClipFrames, WindowDataset
from lit_reenact.errors import ReenactError
from lit_reenact.face import load_face_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.schema import Track, Window
from lit_reenact.split import Split, temporal_split
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track
from lit_reenact.video import sha256


class TrackDataModule(LightningDataModule):
    """Windows of conditioning images and the real frames of one track, split along time.

    The loaders give ``Window`` of uint8; on the training device it becomes float32 in [-1, 1].
    """

    def __init__(
        self,
        track: str,
        image_size: int = 256,
        window: int = 11,
        batch_size: int = 16,
        workers: int = 2,
        fractions: tuple[float, float] = (0.7, 0.1),
        balance: bool = True,
    ) -> None:
        """
        Args:
            track: folder that ``lit-reenact track`` wrote: the track and its working clip.
            image_size: side of the images in pixels, at most that of the clip.
            window: frames in a window, the current one last.
            batch_size: windows in a batch (of each device).
            workers: processes that load batches; 0 loads in the training process.
            fractions: of the clip for training and validation; the rest is for testing.
            balance: draw rare expressions, poses and looks more often (``balance.py``), instead of every frame once an epoch.
        """
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.folder = Path(track)
        self.image_size = image_size
        self.window = window
        self.batch_size = batch_size
        self.workers = workers
        self.fractions = fractions
        self.balance = balance
        self.clip = self.folder / CLIP_NAME

    def check(self) -> None:
        """Refuse unusable data before anything is written.

        Raises:
            ReenactError: no or another clip, images larger than the clip, a part shorter than a window, or an actor learned
                from frames outside the training part.
        """
        assert self.split

    @cached_property
    def track(self) -> Track:
        track, clip = load_track(self.folder), self.clip
        if not clip.is_file():
            raise ReenactError(f"{clip}: the track's working clip is missing; run `lit-reenact track` on its video again")
        if sha256(clip) != track.info.clip_sha256:
            raise ReenactError(f"{clip} is not the clip that the track beside it was made from; run `lit-reenact track` again")
        if self.image_size > track.camera.width:
            raise ReenactError(
                f"image_size {self.image_size} is larger than the {track.camera.width} pixels of {clip}: "
                f"choose a smaller one, or run `lit-reenact track` again with `--size {self.image_size}`"
            )
        return track

    @cached_property
    def split(self) -> Split:
        """The frames of the three parts."""
        info = self.track.info
        split = temporal_split(len(self.track), float(Fraction(info.fps)), self.fractions, self.window)
        if info.actor_frames > split.train.stop:
            raise ReenactError(
                f"the actor of {self.folder} was learned from the first {info.actor_frames} frames, but the training part ends "
                f"at frame {split.train.stop} with fractions {self.fractions}, so the held-out frames would not be unseen: "
                "choose larger fractions, or run `lit-reenact track` again"
            )
        return split

    @cached_property
    def frames(self) -> ClipFrames:
        return ClipFrames(self.clip, self.image_size)

    def renderer(self) -> ConditioningRenderer:
        """Renders this track's conditioning images at the data module's size."""
        model = load_face_model(self.track.info.face_model)
        return ConditioningRenderer(model, self.track.actor, self.track.camera, self.image_size)

    def mean_frame(self) -> Tensor:
        """The mean of the valid training frames: float32 (3, image_size, image_size) in [-1, 1]."""
        total = torch.zeros(3, self.image_size, self.image_size, dtype=torch.int64)
        known = [index for index in self.split.train if self.track.valid[index]]
        for index in known:
            total += self.frames[index]
        return (total / (127.5 * len(known)) - 1).float()

    def prepare_data(self) -> None:
        """Render the conditioning images beside the track (one process a machine)."""
        self.check()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        ensure_cache(self.track, self.folder, self.renderer().to(device), self.image_size)

    def setup(self, stage: str | None = None) -> None:
        """Make the datasets of all three parts.

        Raises:
            ReenactError: a part holds no window in which every face is known.
        """
        conditioning = cache_path(self.track, self.folder, self.image_size)
        parts = {"training": self.split.train, "validation": self.split.validation, "test": self.split.test}
        valid, cuts = self.track.valid, self.track.info.cuts
        datasets = {
            name: WindowDataset(conditioning, self.frames, part, valid, self.window, cuts) for name, part in parts.items()
        }
        for name, dataset in datasets.items():
            if len(dataset) == 0:
                raise ReenactError(
                    f"the {name} part of {self.clip} has no {self.window} frames in a row that show the face: use another video, "
                    f"or a shorter window than {self.window}"
                )
        self.train_dataset, self.val_dataset, self.test_dataset = datasets.values()

    def train_dataloader(self) -> DataLoader[Window]:
        """Batches in random order; an incomplete last one is left out, unless it is the only one."""
        dataset = self.train_dataset
        sampler: Sampler[int] = RandomSampler(dataset)
        if self.balance:
            weights = frame_weights(self.track, dataset.indices).tolist()
            sampler = WeightedRandomSampler(weights, num_samples=len(dataset))
        return self._loader(dataset, sampler, drop_last=len(dataset) >= self.batch_size)

    def val_dataloader(self) -> DataLoader[Window]:
        return self._loader(self.val_dataset)

    def test_dataloader(self) -> DataLoader[Window]:
        return self._loader(self.test_dataset)

    def _loader(self, dataset: WindowDataset, sampler: Sampler[int] | None = None, drop_last: bool = False) -> DataLoader[Window]:
        return DataLoader(
            dataset,
            self.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def state_dict(self) -> dict[str, str]:
        """What a checkpoint says about the clip that it was trained on, as ``checkpoint["TrackDataModule"]``."""
        return {"source": self.track.info.source, "clip_sha256": self.track.info.clip_sha256}

    def load_state_dict(self, state_dict: dict[str, str]) -> None:
        """Refuse a checkpoint of another clip.

        Raises:
            ReenactError: the checkpoint was trained on another one.
        """
        if state_dict["clip_sha256"] != self.track.info.clip_sha256:
            raise ReenactError(
                f"the checkpoint was trained on another working clip (of {state_dict['source']}) than {self.clip} "
                f"(of {self.track.info.source}): choose the track that belongs to it, or train anew"
            )

    def on_after_batch_transfer(self, batch: Window, dataloader_idx: int) -> Window:
        """uint8 in [0, 255] to float32 in [-1, 1], on the training device."""
        return batch._replace(conditioning=_signed(batch.conditioning), frame=_signed(batch.frame))


def _signed(images: Tensor) -> Tensor:
    """One copy, in the layout that the networks want: on a CPU the memory of a batch of windows is what takes the time."""
    return images.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1)
