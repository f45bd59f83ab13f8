"""Hand-over types of the stages, and the conventions that all of them share.

    video -> frames -> Landmarks -> Track (FaceParameters + Actor + Camera) -> conditioning images -> Window -> frame

Conventions, stated here once and used everywhere:

* Images are ``uint8 (T, H, W, 3)`` RGB on disk and out of decord, ``float32 (B, C, H, W)`` in [-1, 1] inside networks and
  in [0, 1] for metrics and kornia.
* Pixel centres lie at half-integers (x + 0.5, y + 0.5); the origin is the top-left corner of the image.
* Head axes: x to the subject's left (image right), y up, z out of the face; millimetres; the origin lies between the
  eyeballs of the generic mean face. Camera axes (OpenCV): x right, y down, z forward.
* A head point X is seen at ``FLIP @ (R @ X) + t`` in the camera, ``FLIP = diag(1, -1, -1)``: no rotation is a frontal face.
* Rotations are axis-angle in parameters and matrices in formulas; radians in code, degrees in anything a person reads.
  Positive yaw turns to the subject's left, positive pitch looks up, positive roll tilts to the subject's left shoulder.
* "Left" and "right" are the subject's. Expressions carry ARKit names (``jawOpen``, ``eyeBlinkLeft``, ...).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple, cast, get_args

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError

SCHEMA_VERSION = 2
"""Version of the track file; a reader refuses every other one with a message."""

LANDMARK_COUNT = 478
"""Number of FaceMesh points with irises: 468 of the face, then 5 of the subject's right and 5 of the left iris."""

ConditioningImage = Literal["diffuse", "correspondence", "eyes", "landmarks", "normals", "depth"]
"""Names of the conditioning images; each has 3 channels."""

CONDITIONING: tuple[ConditioningImage, ...] = ("diffuse", "correspondence", "eyes")
"""Default conditioning images of a frame, in this order: those of Deep Video Portraits (Kim et al. 2018)."""

CONDITIONING_CHANNELS = 9
"""Number of channels of the default conditioning images."""

EMPTY, FACE, EYES, MOUTH = 0, 1, 2, 3
"""Labels of a region image: no face; face without eyes and mouth; eyes with their lids; mouth with its lips."""


@dataclass(frozen=True)
class Landmarks:
    """FaceMesh points of ``T`` frames.

    Attributes:
        points: float32 (T, 478, 3), x and y in pixels of the image they belong to, z in the same unit (smaller is nearer,
            about 25 % too deep as MediaPipe gives it); NaN where no face was found.
        found: bool (T,), True where a face was seen in the frame.
    """

    points: Tensor
    found: Tensor

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with its principal point at the centre of the image, fixed over a video.

    Attributes:
        focal: focal length in pixels of this image.
        width: image width in pixels.
        height: image height in pixels.
    """

    focal: float
    width: int
    height: int

    def resize(self, size: int) -> Camera:
        """Return the camera of the same view on a square image of ``size`` pixels a side.

        Raises:
            ReenactError: the image is not square.
        """
        if self.width != self.height:
            raise ReenactError(f"a camera of {self.width}x{self.height} cannot be resized to a square of {size}")
        return Camera(focal=self.focal * size / self.width, width=size, height=size)


@dataclass(frozen=True)
class FaceParameters:
    """Parameters of T frames: everything that changes from frame to frame, and all that transfer and editing change.

    Attributes:
        rotation: (T, 3) axis-angle of the head, radians.
        translation: (T, 3) position of the head's origin in camera axes, mm.
        identity: (T, K_identity) coefficients of the face model's identity basis; those of the ``Actor`` in a track.
        expression: (T, K_expression) blendshape coefficients, within the face model's bounds.
        illumination: (T, 27) nine spherical harmonics x RGB, band by band: (T, 9, 3) flattened.
        gaze: (T, 4) yaw and pitch of the left eye, yaw and pitch of the right eye, relative to the head, radians.

    Raises:
        ValueError: the parameters differ in their number of frames.

    Example:
        >>> looking_ahead = parameters[10:20].replace(gaze=torch.zeros(10, 4))
    """

    rotation: Tensor
    translation: Tensor
    identity: Tensor
    expression: Tensor
    illumination: Tensor
    gaze: Tensor

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self)}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"FaceParameters of unequal length: {lengths}")

    def __len__(self) -> int:
        return len(self.rotation)

    def __getitem__(self, frames: slice | Tensor) -> FaceParameters:
        """Return the parameters of some frames, by a slice, an index tensor or a mask; the frame axis always stays."""
        return FaceParameters(**{f.name: getattr(self, f.name)[frames] for f in fields(self)})

    def to(self, device: torch.device | str) -> FaceParameters:
        """Return the parameters on a device."""
        return FaceParameters(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    @classmethod
    def concatenate(cls, parts: Sequence[FaceParameters]) -> FaceParameters:
        """Join the frames of all parts, in their order."""
        return cls(**{f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)})

    def replace(self, **channels: Tensor) -> FaceParameters:
        """Return a copy with other values, (T, ...), in the named channels."""
        return replace(self, **channels)


@dataclass(frozen=True)
class Actor:
    """A person: everything that does not change over a video of them.

    Attributes:
        neutral: (V, 3) the person's neutral mesh in head axes, mm.
        identity: (K_identity,) coefficients that come nearest to ``neutral`` in the face model's identity basis. The mesh of a
            frame with identity ``a`` starts from ``neutral + basis (a - identity)``, so no detail of the person is lost.
        reflectance: (3, S, S) albedo in [0, 1] over the face model's UV square, row 0 at v = 0.
        eyeballs: (2, 3) centres of the left and the right eyeball in head axes, mm.
        gaze_offset: (4,) radians that were added to the measured gaze so that looking ahead is 0; in the order of
            ``FaceParameters.gaze``.
        correctives: (M, 468, 3) modes of this person alone, displacements of the landmarks in head axes, mm; M may be 0. They
            measure what named expressions cannot express. No rendering uses them, because no other actor could supply them.
    """

    neutral: Tensor
    identity: Tensor
    reflectance: Tensor
    eyeballs: Tensor
    gaze_offset: Tensor
    correctives: Tensor

    def to(self, device: torch.device | str) -> Actor:
        """Return the actor on a device."""
        return Actor(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass(frozen=True)
class CropBox:
    """The square of the upright source frame that became the working clip.

    Attributes:
        x: left edge in source pixels.
        y: top edge in source pixels.
        side: side in source pixels.
    """

    x: int
    y: int
    side: int


@dataclass(frozen=True)
class TrackInfo:
    """Origin of a track; written as JSON into its file.

    Attributes:
        source: file name of the source video, without its folder.
        source_sha256: SHA-256 of the source video, 64 hexadecimal digits.
        clip_sha256: SHA-256 of the working clip that lies beside the track, 64 hexadecimal digits.
        fps: frames per second of the working clip, written as a fraction such as "30000/1001".
        crop: the part of the source frame that the working clip shows.
        face_model: name of the face model.
        face_model_hash: hash of the face model's arrays (``FaceModel.hash``).
        actor_frames: frames [0, actor_frames) were used to learn the Actor; the rest of the clip is held out.
        settings: the tracker's settings as plain values.
        warnings: warnings for the user, one sentence each (several faces seen, frames without a face, ...).
        cuts: the first frame after every hard cut; nothing is smoothed, and no window reaches, over one.
    """

    source: str
    source_sha256: str
    clip_sha256: str
    fps: str
    crop: CropBox
    face_model: str
    face_model_hash: str
    actor_frames: int
    settings: dict[str, float | int | str | bool]
    warnings: tuple[str, ...] = ()
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Track:
    """A tracked working clip.

    Attributes:
        parameters: parameters of the T frames of the clip, interpolated where no face was seen.
        actor: the person.
        camera: camera of the working clip.
        valid: bool (T,), frames fit for training: a face was seen, or the gap was short enough to interpolate.
        error: float32 (T,), mean landmark error in % of the outer-eye distance; NaN where no face was seen.
        corrective: (T, M) coefficients of the actor's corrective modes.
        corrected_error: float32 (T,), mean landmark error with the corrective modes, in % of the outer-eye distance; NaN where
            no face was seen.
        photometric_error: float32 (T, 2), mean absolute difference on visible skin between diffuse colour and frame, in levels of
            255: first with pose and expression from landmarks alone, then with those of ``parameters``; NaN where not measured,
            above all in frames that the person was learned from.
        landmarks: FaceMesh points of the T frames, in pixels of the working clip.
        info: origin of the track.
    """

    parameters: FaceParameters
    actor: Actor
    camera: Camera
    valid: Tensor
    error: Tensor
    corrective: Tensor
    corrected_error: Tensor
    photometric_error: Tensor
    landmarks: Landmarks
    info: TrackInfo

    def __len__(self) -> int:
        return len(self.parameters)


def conditioning_channels(images: Sequence[str]) -> int:
    """Return the number of channels of a frame's conditioning images."""
    return 3 * len(images)


def parse_conditioning(images: Sequence[str]) -> tuple[ConditioningImage, ...]:
    """Return the names of a frame's conditioning images, in their order.

    Raises:
        ReenactError: there are none, or one is unknown or named twice.
    """
    known = get_args(ConditioningImage)
    if not images:
        raise ReenactError(f"conditioning names no image: choose from {', '.join(known)}")
    for image in images:
        if image not in known:
            raise ReenactError(f"conditioning names {image!r}, but there are only {', '.join(known)}")
        if list(images).count(image) > 1:
            raise ReenactError(f"conditioning names {image} twice: name each image once")
    return cast(tuple[ConditioningImage, ...], tuple(images))


class FrameImages(NamedTuple):
    """Images that are rendered of N frames, in one dense tensor, which is pinned and copied to a device at once.

    Attributes:
        channels: uint8 (N, 3 K + 1, H, W), K conditioning images and the region of each frame.
    """

    channels: Tensor

    @property
    def conditioning(self) -> Tensor:
        """The K conditioning images of each frame, uint8 (N, 3 K, H, W)."""
        return self.channels[:, :-1]

    @property
    def region(self) -> Tensor:
        """Labels of the pixels of each frame, uint8 (N, H, W): ``EMPTY``, ``FACE``, ``EYES`` or ``MOUTH``."""
        return self.channels[:, -1]


@dataclass(frozen=True)
class KeyFrames:
    """Reference frames of one clip: few training frames whose pixels a generator moves to their wanted places.

    Attributes:
        numbers: int64 (K,) numbers of the frames in the clip.
        images: uint8 (K, 3, R, R) the frames, at the clip's own size.
        parameters: parameters of the K frames.
    """

    numbers: Tensor
    images: Tensor
    parameters: FaceParameters

    def __len__(self) -> int:
        return len(self.numbers)


class ReferenceMaps(NamedTuple):
    """Maps from N wanted frames to K reference frames, at a low resolution; upsampled bilinearly where they are used.

    Attributes:
        flow: float32 (N, K, 2, s, s), fraction of the image's side, right and down: the pixel at x of the wanted frame comes from
            x + flow of the reference. The surroundings of the face follow smoothly; the border of the image stays.
        validity: float32 (N, K, 4, s, s) in [0, 1], all 0 beyond the mesh. Visibility: 1 where the reference shows the place, 0
            where it is hidden, turned away or outside of the image, soft in between and at the wanted silhouette. Stretch: 0, 0.5
            and 1 where the area in the wanted frame is 2^-2 (or less), 1 and 2^2 (or more) times that in the reference. Cosine:
            1 where the surface faces the reference's camera, 0 where it is seen from the side or from behind. Unseen: 1 between
            lids or lips that the wanted frame opens much wider than the reference, which therefore cannot show what lies there.
    """

    flow: Tensor
    validity: Tensor


class References(NamedTuple):
    """Reference frames of B samples, as a generator takes them.

    Attributes:
        images: float32 (A, K, 3, r, r) in [-1, 1], the key frames of each clip, enlarged and smoothed for sampling
            (``networks.references.prepare_key_frames``).
        actor: int64 (B,) index into ``images``.
        grid: float32 (B, 2 K, H, W) place of each pixel in each key frame, x and y as shares of the image's side.
        validity: float32 (B, 4 K, H, W) in [0, 1], by ``ReferenceMaps``.
        present: float32 (B, K), 0 where a reference is left out, else 1.
    """

    images: Tensor
    actor: Tensor
    grid: Tensor
    validity: Tensor
    present: Tensor


class Runs(NamedTuple):
    """A batch of B training samples as the data loader returns it: each conditioning image once, however many windows share it.

    Attributes:
        images: images of the U frames that the windows contain; or the parameters of these frames, which are rendered on the
            training device.
        shown: int64 (B, N_w) indices into ``images`` of the frames of each window, oldest first.
        frame: uint8 (B, 3, H, W) real frame that belongs to the current frame of each window.
        number: int64 (B,) number of the current frame in its clip.
        actor: int64 (B,) index of the clip among the clips that are trained on.
        flow: float16 (B, 2, H, W) pixels from each real frame to the one before it in its clip, by the rules of ``Window``.
        maps: float16 (B, K, 6, s, s), flow and validity of ``ReferenceMaps`` side by side; (B, 0) without reference frames.
        near: bool (B, K), reference frames that are too near in time to the sample's own frame to be shown in training.
    """

    images: FrameImages | FaceParameters
    shown: Tensor
    frame: Tensor
    number: Tensor
    actor: Tensor
    flow: Tensor
    maps: Tensor
    near: Tensor


class Window(NamedTuple):
    """A batch of B training samples as networks, losses and metrics take it; the data module builds it from ``Runs``.

    Attributes:
        conditioning: float32 (B, N_w * 3 K, H, W) in [-1, 1], the K conditioning images of each frame of the window, oldest
            first; the current frame is the last, or in the middle of a centred window.
        frame: float32 (B, 3, H, W) in [-1, 1], real frame that belongs to the current frame.
        region: uint8 (B, H, W) labels ``EMPTY``, ``FACE``, ``EYES``, ``MOUTH`` of the real frame's pixels, for losses and
            metrics; the network does not see them.
        number: int64 (B,) number of the current frame in its clip.
        actor: int64 (B,) index of the clip among the clips that are trained on.
        base: float32 (B, 3, H, W) in [-1, 1], mean training frame of the clip.
        flow: float16 (B, 2, H, W) pixels, right and down, from each pixel of the real frame to its place in the frame before; NaN
            where the sample before it in the batch is not that frame. (B, 0, H, W) if no flow was asked for.
        references: reference frames; None for a generator without them.
    """

    conditioning: Tensor
    frame: Tensor
    region: Tensor
    number: Tensor
    actor: Tensor
    base: Tensor
    flow: Tensor
    references: References | None = None

    def split(self, parts: int) -> list[Window]:
        """Divide the batch into ``parts`` parts, or as many as it has samples; the last may be smaller."""
        pieces = [Window(*tensors) for tensors in zip(*(tensor.chunk(parts) for tensor in self[:-1]), strict=True)]
        if self.references is None:
            return pieces
        images, *others = self.references
        references = zip(*(tensor.chunk(parts) for tensor in others), strict=True)
        return [piece._replace(references=References(images, *one)) for piece, one in zip(pieces, references, strict=True)]
