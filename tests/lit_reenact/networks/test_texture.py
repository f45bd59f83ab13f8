"""The neural texture: where it is sampled, what it learns from, whose it is, and that a network without it is as before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from kornia.geometry.transform import get_affine_matrix2d, warp_affine
from torch import Tensor

from lit_reenact.core.schema import Camera, ConditioningImage, References
from lit_reenact.datamodules.affine_warp import warp_images
from lit_reenact.face import load_face_model
from lit_reenact.networks.blend_generator import BlendGenerator, make_generator
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.settings import GeneratorSettings, InputSettings
from lit_reenact.networks.texture import GAIN, TEXELS, NeuralTexture, find_surface
from lit_reenact.rendering.conditioning import ConditioningRenderer
from tests.factories import make_actor, make_parameters

SIZE = 32


def plain(*colour: float, size: int = 4) -> Tensor:
    """A correspondence image of one colour, given in [0, 1]: (1, 3, size, size) in [-1, 1]."""
    return torch.tensor(colour)[None, :, None, None].expand(1, 3, size, size) * 2 - 1


def texture_of(planes: Tensor) -> NeuralTexture:
    """A texture of one image and one frame."""
    texture = NeuralTexture(InputSettings(conditioning=("correspondence",), window=1), channels=planes.shape[1] // 2)
    texture.planes = torch.nn.Parameter(planes)
    return texture


def network(head: Any = "residual", actors: int = 1, **settings: Any) -> Generator:
    """A small network with a texture of noise."""
    torch.manual_seed(0)
    inputs = InputSettings(image_size=SIZE, window=2, references=2 if head == "blend" else 0)
    settings = {"channels": 8, "levels": 3, "max_channels": 16, "texture_channels": 4, "head": head, **settings}
    generator = make_generator(inputs, GeneratorSettings(**settings))
    if generator.texture is not None:
        generator.texture.set_actors(actors)
        torch.nn.init.normal_(generator.texture.planes, std=0.1)
    torch.nn.init.normal_((generator.to_frame[-1] if head == "blend" else generator.to_frame).weight, std=0.2)
    return generator.eval()


def references(samples: int) -> References:
    middle = (torch.arange(SIZE) + 0.5) / SIZE
    return References(
        images=torch.rand(1, 2, 3, 2 * SIZE + 1, 2 * SIZE + 1, generator=torch.Generator().manual_seed(1)) * 2 - 1,
        actor=torch.zeros(samples, dtype=torch.int64),
        grid=torch.stack(torch.meshgrid(middle, middle, indexing="xy")).repeat(2, 1, 1).expand(samples, -1, -1, -1),
        validity=torch.full((samples, 8, SIZE, SIZE), 0.5),
        present=torch.ones(samples, 2),
    )


def seen_by(head: str, samples: int) -> tuple[Tensor, None, References | None]:
    """Windows without noise, so that the texture is seen, and references for a blend."""
    windows = torch.rand(samples, 18, 1, 1, generator=torch.Generator().manual_seed(2)).expand(-1, -1, SIZE, SIZE) * 2 - 1
    return windows, None, references(samples) if head == "blend" else None


@pytest.fixture(scope="module")
def face() -> Tensor:
    """Rendered windows of one frame: (4, 9, 64, 64) in [-1, 1]."""
    model = load_face_model("builtin")
    renderer = ConditioningRenderer(model, make_actor(model), Camera(focal=288.0, width=64, height=64))
    return renderer(make_parameters(model, 4)).float() / 127.5 - 1


def test_a_value_between_texels_is_their_bilinear_mean() -> None:
    """Ramps are their own bilinear interpolation: colour 0 is the border of the first texel, whose middle has the value 0."""
    along = torch.arange(TEXELS, dtype=torch.float32)
    front, side = along.expand(TEXELS, -1), 1000 * along[:, None].expand(-1, TEXELS)  # by red, and by green
    behind = 1e6 * along.expand(TEXELS, -1)  # by blue
    texture = texture_of(torch.stack([front, side, torch.zeros(TEXELS, TEXELS), behind])[None])
    seen = texture(plain(0.25, 0.5, 0.75), actor=0)
    assert seen.shape == (1, 2, 4, 4)
    red, green, blue = 0.25 * TEXELS - 0.5, 0.5 * TEXELS - 0.5, 0.75 * TEXELS - 0.5
    assert torch.allclose(seen[:, 0], torch.full((1, 4, 4), GAIN * red))
    assert torch.allclose(seen[:, 1], torch.full((1, 4, 4), GAIN * (1000 * green + 1e6 * blue)))


def test_the_texels_that_are_seen_learn_and_no_others() -> None:
    texture = texture_of(torch.zeros(1, 4, TEXELS, TEXELS))
    texture(plain(10.8 / TEXELS, 20.1 / TEXELS, 30.5 / TEXELS), actor=0).sum().backward()
    assert texture.planes.grad is not None
    texels = {tuple(texel) for texel in texture.planes.grad[0].nonzero().tolist()}
    front = {(channel, y, x) for channel in (0, 1) for y in (19, 20) for x in (10, 11)}
    side = {(channel, y, 30) for channel in (2, 3) for y in (19, 20)}  # in the middle of its column
    assert texels == front | side


def test_background_and_mixtures_with_it_show_nothing() -> None:
    image = plain(0.5, 0.6, 0.7, size=8).clone()
    image[..., :3] = -1.0
    image[..., 3] = 0.5 * image[..., 4] - 0.5  # half of it head
    seen = texture_of(torch.ones(1, 2, TEXELS, TEXELS))(image, actor=0)
    assert (seen[..., :4] == 0).all()
    assert torch.allclose(seen[..., 4:], torch.full((1, 1, 8, 4), 2 * GAIN))


@pytest.mark.parametrize(("placement", "current"), [("causal", 2), ("centred", 1)])
@pytest.mark.parametrize("images", [("diffuse", "correspondence", "eyes"), ("correspondence", "normals")])
def test_it_is_seen_through_the_current_frame(placement: Any, current: int, images: tuple[ConditioningImage, ...]) -> None:
    inputs = InputSettings(conditioning=images, window=3, placement=placement)
    texture = NeuralTexture(inputs, channels=1)
    torch.nn.init.normal_(texture.planes)
    window = torch.zeros(1, inputs.channels, 4, 4, requires_grad=True)
    texture(window, actor=0).sum().backward()
    assert window.grad is not None
    first = 3 * (current * len(images) + images.index("correspondence"))
    assert window.grad.flatten(2).any(2)[0].nonzero()[:, 0].tolist() == [first, first + 1, first + 2]


def test_most_of_a_rendered_face_is_surface_and_nothing_beyond_it(face: Tensor) -> None:
    places = face[:, 3:6]
    surface, drawn = find_surface(places).bool(), (places > -1).any(1, keepdim=True)
    assert not (surface & ~drawn).any()
    assert (surface & drawn).sum() > 0.8 * drawn.sum()


def test_it_moves_with_the_images(face: Tensor) -> None:
    """Seen through moved images it is what it was, moved, up to the rounding of places between pixels."""
    texture = NeuralTexture(InputSettings(window=1), channels=1)
    along = torch.linspace(0, 1, TEXELS) / GAIN
    texture.planes = torch.nn.Parameter(torch.stack([along.expand(TEXELS, -1), along[:, None].expand(-1, TEXELS)])[None])
    turn = torch.tensor([4.0, -3.0, 2.0, 1.0])
    matrix = get_affine_matrix2d(torch.full((4, 2), 1.5), torch.full((4, 2), 31.5), torch.full((4, 2), 1.05), turn)[:, :2]
    before, after = texture(face, actor=0), texture(warp_images(face.clone(), matrix), actor=0)
    moved = warp_affine(before, matrix, (64, 64), align_corners=True)
    whole = warp_affine((before > 0).float(), matrix, (64, 64), align_corners=True) == 1
    both = whole & (after > 0)
    assert both.sum() > 0.7 * (before > 0).sum()
    assert (moved - after)[both].abs().max() < 0.03
    assert (before - after)[both].abs().max() > 0.1  # they did move


@pytest.mark.parametrize("head", ["residual", "blend"])
def test_the_network_sees_it_and_teaches_it(head: str) -> None:
    generator, seen = network(head), seen_by(head, 2)
    with_texture = generator(*seen)
    with_texture.sum().backward()
    assert generator.texture is not None
    assert generator.texture.planes.grad is not None
    assert generator.texture.planes.grad.any()
    torch.nn.init.zeros_(generator.texture.planes)
    assert not torch.allclose(generator(*seen), with_texture)


@pytest.mark.parametrize("head", ["residual", "blend"])
def test_a_texture_that_knows_nothing_yet_changes_nothing(head: str) -> None:
    generator, seen = network(head), seen_by(head, 2)
    assert generator.texture is not None
    torch.nn.init.zeros_(generator.texture.planes)
    before = generator(*seen)
    generator.from_base.weight.data[:, -4:] = 1.0
    if isinstance(generator, BlendGenerator):
        generator.to_frame[0].weight.data[:, -4:] = 1.0
    assert torch.equal(generator(*seen), before)


@pytest.mark.parametrize("head", ["residual", "blend"])
def test_each_person_has_their_own(head: str) -> None:
    generator, seen = network(head, actors=3), seen_by(head, 2)
    both = generator(*seen, torch.tensor([2, 0]))
    both[0].sum().backward()
    assert generator.texture is not None
    learned = generator.texture.planes.grad
    assert learned is not None  # for DDP every person takes part
    assert [bool(one.any()) for one in learned] == [False, False, True]
    for actor, row in ((2, 0), (0, 1)):
        generator.actor = actor
        assert torch.allclose(generator(*seen)[row], both[row], atol=1e-5)
        assert not torch.allclose(generator(*seen)[1 - row], both[1 - row], atol=1e-5)


def test_new_persons_start_from_the_mean() -> None:
    texture = NeuralTexture(InputSettings(), channels=1)
    texture.planes = torch.nn.Parameter(torch.stack([torch.full((2, TEXELS, TEXELS), value) for value in (1.0, 3.0)]))
    texture.set_actors(3)
    assert torch.equal(texture.planes, torch.full((3, 2, TEXELS, TEXELS), 2.0))
    assert texture.planes.requires_grad


def test_weights_decide_how_many_persons_there_are() -> None:
    three, one = network(actors=3), network()
    one.load_state_dict(three.state_dict())
    assert one.texture is not None
    assert len(one.texture) == 3
    assert torch.equal(one(*seen_by("residual", 2)), three(*seen_by("residual", 2)))


@pytest.mark.parametrize("head", ["residual", "blend"])
def test_half_precision_stays_near(head: str) -> None:
    generator, seen = network(head, norm="instance"), seen_by(head, 2)
    exact = generator(*seen)
    generator.to_bfloat16()
    assert exact.std() > 0.1
    assert (generator(*seen) - exact).abs().mean() < 0.05 * exact.std()


@pytest.mark.parametrize("head", ["residual", "blend"])
def test_without_a_texture_there_is_no_trace_of_it(head: str) -> None:
    generator, textured = network(head, texture_channels=0), network(head)
    assert textured.state_dict().keys() - generator.state_dict().keys() == {"texture.planes"}
    wider = {"from_base.weight"} | ({"to_frame.0.weight"} if head == "blend" else set())
    for name, value in generator.state_dict().items():
        assert (value.shape != textured.state_dict()[name].shape) == (name in wider)


@pytest.mark.parametrize(
    ("inputs", "settings", "sentence"),
    [
        ({}, {"head": "tanh"}, "texture_channels is 16, but a tanh head has no texture"),
        ({"conditioning": ("normals", "eyes")}, {}, r"conditioning \(normals, eyes\) lacks"),
        ({}, {"texture_channels": -1}, "texture_channels is -1, but must be at least 0"),
    ],
)
def test_impossible_textures_are_refused(inputs: dict[str, Any], settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make_generator(InputSettings(**inputs), GeneratorSettings(**{"texture_channels": 16, **settings}))
