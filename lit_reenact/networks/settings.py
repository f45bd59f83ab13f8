"""Settings of the two networks: what they take in, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lit_reenact.core.schema import CONDITIONING, ConditioningImage, conditioning_channels, parse_conditioning
from lit_reenact.networks.blocks import Norm
from lit_reenact.networks.windows import Placement, WindowShape

Head = Literal["residual", "tanh", "blend"]

DiscriminatorNorm = Literal["batch", "instance", "none", "spectral"]


@dataclass(frozen=True)
class InputSettings:
    """Images that a network sees of each frame, and the frames of its window; model and data share them.

    Attributes:
        conditioning: names of the conditioning images of each frame, in their order.
        image_size: side of the square images in pixels.
        window: number of frames in a window, N_w of the paper.
        placement: ``causal``: the current frame is the window's last (the paper); ``centred``: it is in the middle.
        stride: step in frames of the clip from one frame of a window to the next.
        references: number of key frames of the training part whose pixels a ``blend`` head moves; 0 for the paper's network,
            which sees conditioning alone.
        plate: whether a ``blend`` head also takes pixels of the background plate: what the camera sees without the person.

    Raises:
        ReenactError: ``conditioning`` names no image, an unknown one, or one of them twice.
        ValueError: ``window`` or ``stride`` is less than 1, ``references`` is negative, or ``placement`` is unknown.

    Example:
        >>> InputSettings(image_size=128, window=3).channels
        27
    """

    conditioning: tuple[ConditioningImage, ...] = CONDITIONING
    image_size: int = 256
    window: int = 11
    placement: Placement = "causal"
    stride: int = 1
    references: int = 0
    plate: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditioning", parse_conditioning(self.conditioning))
        WindowShape(self.window, self.placement, self.stride)  # raises
        if self.references < 0:
            raise ValueError(f"model.inputs.references is {self.references}, but must be at least 0")
        if self.plate and not self.references:
            raise ValueError("model.inputs.plate is on, but only a blend head takes a background plate: set references, too")

    @property
    def base_channels(self) -> int:
        """Number of channels of a sample's base: its mean frame, and the background plate if there is one."""
        return 6 if self.plate else 3

    @property
    def shape(self) -> WindowShape:
        """Frames of a window about its current frame."""
        return WindowShape(self.window, self.placement, self.stride)

    @property
    def channels(self) -> int:
        """Number of channels of a stacked window."""
        return conditioning_channels(self.conditioning) * self.window


@dataclass(frozen=True)
class GeneratorSettings:
    """Size and layers of the ``Generator``; the defaults are the paper's but for the head.

    Attributes:
        channels: feature maps of the first level, at half the image's resolution; each further level doubles them up to
            ``max_channels``, and the last up-step, at the full resolution, has half of them.
        levels: number of down-steps; 8 in the paper.
        max_channels: largest number of feature maps of a level.
        norm: ``batch`` (the paper), ``instance`` or ``none``.
        dropout: probability in [0, 1], in the deep up-steps.
        head: ``tanh`` (the paper), or ``residual``: ``tanh(network + atanh(mean_frame))``, which starts from the mean training
            frame instead of from noise, so that a static background need not be learned; or ``blend``: soft masks over pixels of
            the reference frames, the mean frame, and painted pixels (``BlendGenerator``).
        texture_channels: number of features of each person's neural texture (``NeuralTexture``), which is learned on the head's
            surface and seen beside the window; 16 in Thies et al. 2019, 0 for none. A ``tanh`` head takes none.

    Raises:
        ValueError: ``texture_channels`` is negative.
    """

    channels: int = 64
    levels: int = 8
    max_channels: int = 512
    norm: Norm = "batch"
    dropout: float = 0.5
    head: Head = "residual"
    texture_channels: int = 0

    def __post_init__(self) -> None:
        if self.texture_channels < 0:
            raise ValueError(f"model.generator.texture_channels is {self.texture_channels}, but must be at least 0")


@dataclass(frozen=True)
class DiscriminatorSettings:
    """Size and layers of the ``PatchDiscriminator``, and the number of those that judge whole frames.

    Attributes:
        channels: feature maps of the first layer; each layer doubles them, up to 8 times.
        layers: number of stride-2 convolutions; with three a logit judges a patch of 70x70 pixels.
        norm: ``batch``, ``instance``, ``none``, or ``spectral``: no layer can stretch its input (Miyato et al. 2018). None takes
            the generator's.
        scales: 1, or 2: another discriminator judges frames of half the size, in which a patch shows twice as much.
    """

    channels: int = 64
    layers: int = 3
    norm: DiscriminatorNorm | None = None
    scales: Literal[1, 2] = 1
