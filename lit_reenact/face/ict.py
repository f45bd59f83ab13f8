"""Reader of ICT-FaceKit, the light version, MIT licence (Li et al., "Learning Formation of Physically-Based Face Attributes",
CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.face.assembly import assemble
from lit_reenact.face.builtin import builtin_model
from lit_reenact.face.embedding import Embedding
from lit_reenact.face.model import FaceModel
from lit_reenact.face.parts import Parts
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, SKIN

UNIT = 10.0
"""Millimetres in the published files' unit, the centimetre."""

IDENTITIES = 100
"""Number of identity components."""

VERTEX_COUNT = 26719
"""Number of vertices of the published meshes."""

SIDES = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
"""Names in which "Left" and "Right" are directions, not halves of the face."""

REGIONS = {SKIN: (0, 11248), MOUTH: (11248, 13294), EYE_LEFT: (13294, 13678), EYE_RIGHT: (13678, 14062)}
"""Published ranges of vertices: face, head and neck; mouth socket; eye sockets. Later vertices (tongue, teeth, eyeballs, lashes)
are left out: the sockets close the openings, and their contents are not drawn from a mesh.
"""


def read_ict(path: Path) -> FaceModel:
    """Read the folder of .obj files, as published, or an .npz with the same arrays and a landmark embedding.

    Raises:
        ReenactError: a file or an array is missing or belongs to another model.
    """
    return assemble(_from_folder(path) if path.is_dir() else _from_npz(path))


def _from_npz(path: Path) -> Parts:
    """Read an .npz with vertices (V, 3) mm, faces, identity (100, V, 3), expression (53, V, 3), expression_names, source_index
    (V,), the published number of each vertex, and the landmarks' lm468_tri, lm468_bary and lm468_offset.
    """
    with np.load(path, allow_pickle=False) as arrays:
        missing = {"vertices", "faces", "identity", "expression", "expression_names", "source_index"} - set(arrays)
        if missing:
            raise ReenactError(f"{path} is not an ICT-FaceKit model: it lacks the array {', '.join(sorted(missing))}")
        tensors = {name: torch.from_numpy(arrays[name]) for name in arrays if arrays[name].dtype.kind in "fiu"}
        names = [str(name) for name in arrays["expression_names"]]
    embedding = None
    if "lm468_tri" in tensors:
        embedding = Embedding(tensors["lm468_tri"].long(), tensors["lm468_bary"], tensors["lm468_offset"])
    shape = dict(zip(names, tensors["expression"], strict=True))
    faces, region = _select(tensors["faces"].long(), tensors["source_index"].long())
    return Parts(
        name="ict",
        vertices=tensors["vertices"],
        faces=faces,
        region=region,
        identity_basis=tensors["identity"].float(),
        identity_scale=torch.ones(len(tensors["identity"])),
        expressions=_expressions(lambda name: shape[name].float(), set(names), path),
        embedding=embedding,
    )


def _from_folder(path: Path) -> Parts:
    neutral, faces = read_obj(path / "generic_neutral_mesh.obj")
    if len(neutral) != VERTEX_COUNT:
        raise ReenactError(f"{path}: generic_neutral_mesh.obj has {len(neutral)} vertices, ICT-FaceKit has {VERTEX_COUNT}")

    def shape(name: str) -> Tensor:
        vertices, _ = read_obj(path / f"{name}.obj")
        if len(vertices) != VERTEX_COUNT:
            raise ReenactError(f"{path}: {name}.obj has {len(vertices)} vertices, not the {VERTEX_COUNT} of the neutral mesh")
        return (vertices - neutral) * UNIT

    faces, region = _select(faces, torch.arange(VERTEX_COUNT))
    return Parts(
        name="ict",
        vertices=neutral * UNIT,
        faces=faces,
        region=region,
        identity_basis=torch.stack([shape(f"identity{k:03d}") for k in range(IDENTITIES)]),
        identity_scale=torch.ones(IDENTITIES),
        expressions=_expressions(shape, {file.stem for file in path.glob("*.obj")}, path),
    )


def _select(faces: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
    """Return the triangles of skin and sockets, and their regions, by the published number of each vertex, int64 (V,).

    A triangle's largest number decides: the sockets are sewn to the skin along the rims of lids and lips.
    """
    last = number[faces].amax(1)
    region = torch.full_like(last, -1)
    for label, (start, stop) in REGIONS.items():
        region[(last >= start) & (last < stop)] = label
    return faces[region >= 0], region[region >= 0].to(torch.uint8)


def _expressions(shape: Callable[[str], Tensor], names: set[str], path: Path) -> dict[str, Tensor]:
    """Return the shapes (V, 3) under their ARKit names, opposite ones merged; gaze is not an expression here, and is left out."""

    def field(name: str) -> Tensor:
        if name not in SIDES and name.endswith(("Left", "Right")):
            files = [name.removesuffix("Left") + "_L" if name.endswith("Left") else name.removesuffix("Right") + "_R"]
        else:
            files = (
                [f"{name}_L", f"{name}_R"] if f"{name}_L" in names else [name]
            )  # ARKit has some shapes as one that are two here
        missing = [file for file in files if file not in names]
        if missing:
            raise ReenactError(f"{path} is not a complete ICT-FaceKit model: it lacks the expression {', '.join(missing)}")
        return torch.stack([shape(file) for file in files]).sum(0)

    merged = {}
    for name in builtin_model().expression_names:
        positive, _, negative = name.partition("-")
        merged[name] = (field(positive) - field(negative)) / 2 if negative else field(positive)
    return merged


def read_obj(path: Path) -> tuple[Tensor, Tensor]:
    """Read vertices float32 (V, 3) and triangles int64 (F, 3) of a Wavefront file; larger polygons are split into triangles.

    Raises:
        ReenactError: the file is missing or has another format.
    """
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise ReenactError(f"{path} cannot be read ({error.strerror}): the folder of an ICT-FaceKit model holds it") from error
    try:
        vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], dtype=np.float32)
        polygons = [[int(corner.partition("/")[0]) - 1 for corner in line.split()[1:]] for line in lines if line.startswith("f ")]
    except ValueError as error:
        raise ReenactError(f"{path} is not a readable .obj file ({error})") from error
    triangles = [(p[0], p[k], p[k + 1]) for p in polygons for k in range(1, len(p) - 1)]
    return torch.from_numpy(vertices).view(-1, 3), torch.tensor(triangles, dtype=torch.int64).view(-1, 3)
