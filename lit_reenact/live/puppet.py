"""Online synthesis: the driver's motion to parameters of the target, and these to generated frames, one by one."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, References, Track
from lit_reenact.live.driver import Driver
from lit_reenact.live.tracker import LiveMotion
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.windows import to_signed
from lit_reenact.synthesis import target_references, target_renderer
from lit_reenact.transfer import limit_softly, mean_rotation, neck
from lit_reenact.transfer.channels import lid_ratio
from lit_reenact.transfer.relative import carry, turns_from
from lit_reenact.video import Frame

NECK_FRAMES = 900
"""Maximum number of past frames that the driver's neck is learned from."""


class OnlineTransfer:
    """Full head reenactment like ``transfer.reenact``, from the source's past alone.

    The driver's mean pose and place are those of the calibration; their neck is learned from the frames so far.

    Args:
        driver: person before the camera.
        target: track of the target; only its training frames are used.
    """

    def __init__(self, driver: Driver, target: Track) -> None:
        self.driver, self.actor = driver, target.actor
        seen = target.parameters[: target.info.actor_frames][target.valid[: target.info.actor_frames]]
        self._pose, self._place = mean_rotation(seen.rotation), seen.translation.double().mean(0)
        self._light = seen.illumination.mean(0)
        turns, moves = turns_from(seen.rotation, self._pose), seen.translation - self._place
        self._neck = neck(turns, moves)
        rest = moves - turns @ self._neck
        self._low, self._high = rest.amin(0), rest.amax(0)
        self._size = torch.stack([*self._place.new_ones(2), self._place[2] / driver.translation[2]])  # depth goes as a ratio
        self._lids = lid_ratio(driver.model, driver.problem.neutral, driver.model.landmarks(target.actor.neutral))
        self._most = driver.model.expression_bounds[:, 1]
        self._turns, self._moves = torch.zeros(2, NECK_FRAMES, 3, dtype=torch.float64).unbind()
        self._frames = 0

    def __call__(self, motion: LiveMotion) -> FaceParameters:
        """Return the target's parameters of one frame."""
        turn = turns_from(motion.rotation[None], self.driver.rotation)
        move = (motion.translation[None] - self.driver.translation) * self._size
        self._turns[self._frames % NECK_FRAMES], self._moves[self._frames % NECK_FRAMES] = turn[0], move[0]
        self._frames += 1
        own_neck = neck(self._turns[: self._frames], self._moves[: self._frames])
        rest = limit_softly(move - turn @ own_neck, self._low, self._high)
        return FaceParameters(
            rotation=carry(motion.rotation[None], self.driver.rotation, self._pose),
            translation=(self._place + turn @ self._neck + rest).to(motion.translation.dtype),
            identity=self.actor.identity[None],
            expression=torch.minimum(motion.expression * self._lids, self._most)[None],
            illumination=self._light[None],
            gaze=motion.gaze[None],
        )


class Puppet:
    """The generator of the target, fed frame by frame.

    Args:
        target: track that the generator was trained on.
        generator: network with causal windows.

    Raises:
        ReenactError: the windows of the generator look ahead.

    Example:
        >>> puppet = Puppet(target, generator)
        >>> puppet.add_frame(parameters)
        >>> picture = puppet.generate()
    """

    def __init__(self, target: Track, generator: Generator) -> None:
        if generator.shape.after:
            raise ReenactError(
                f"this checkpoint's windows look {generator.shape.after} frames ahead, which is impossible live: "
                "train one with `--model.inputs.placement causal`"
            )
        self.generator = generator
        weight = next(generator.parameters())
        self._device, self._kind = weight.device, torch.bfloat16 if weight.dtype == torch.bfloat16 else torch.float32
        self._renderer = target_renderer(target, generator)
        self._place = target_references(target, generator)
        self._references: References | None = None
        self._images: deque[Tensor] = deque(maxlen=generator.shape.span)
        self.add_frame(target.parameters[:1])  # the first run takes longest
        self.generate()
        self._images.clear()

    @torch.inference_mode()
    def add_frame(self, parameters: FaceParameters) -> None:
        """Draw the conditioning images of the target's parameters, one frame, and append them to the window."""
        images = to_signed(self._renderer(parameters).to(self._device)).to(self._kind)
        if not self._images:  # the first frame stands for those before it
            self._images.extend([images] * self.generator.shape.span)
        self._images.append(images)
        self._references = None if self._place is None else self._place(parameters)

    @torch.inference_mode()
    def generate(self) -> Frame:
        """Generate the last frame of the window, uint8 (S, S, 3) RGB."""
        window = list(self._images)[:: self.generator.shape.stride]
        generated = self.generator(torch.cat(window, 1), None, self._references)[0]
        frame: Frame = ((generated + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        return frame
