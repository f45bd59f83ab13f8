"""Reader of FLAME 2020 and 2023 (Li et al., "Learning a model of facial shape and expression from 4D scans", 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import axis_angle_to_matrix
from lit_reenact.face.assembly import assemble
from lit_reenact.face.inert_pickle import read_arrays
from lit_reenact.face.model import FaceModel
from lit_reenact.face.parts import Parts

UNIT = 1000.0
"""Millimetres in the files' unit, the metre."""

SHAPES = 300
"""Leading directions of ``shapedirs`` that are identity; the others are expression."""

NECK, JAW, LEFT_EYE, RIGHT_EYE = 1, 2, 3, 4
"""Numbers of the joints; 0 is the root."""

IDENTITIES, EXPRESSIONS = 100, 50
"""Numbers of components in use, of 300 and 100; the others move the landmarks by less than their detection error."""

DEVIATIONS = 3.0
"""Size of a full expression component, standard deviations."""

JAW_OPEN, JAW_ASIDE = math.radians(20), math.radians(8)
"""Turn of the jaw (radians) in a full ``jawOpen``, and to either side."""


@dataclass(frozen=True)
class Flame:
    """Arrays of a FLAME file under their own names, float32: a mesh of V vertices with J joints.

    Attributes:
        v_template: (V, 3) mean head, metres, x to the subject's left, y up, z out of the face.
        shapedirs: (V, 3, 300 + E) displacement for a standard deviation of each component: identity, then expression.
        posedirs: (V, 3, 9 (J - 1)) pose correctives: displacement by each entry of the joints' rotations less the identity.
        J_regressor: (J, V) weights of the vertices in the position of each joint.
        weights: (V, J) share of each joint in the motion of each vertex.
        parents: numbers of the J joints' parents, -1 for the root; a parent comes before its children.
        faces: int64 (F, 3) triangles.
    """

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    J_regressor: Tensor
    weights: Tensor
    parents: tuple[int, ...]
    faces: Tensor

    def __call__(self, shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        """Return the meshes (B, V, 3) in metres, by linear blend skinning with pose correctives.

        Args:
            shape: (B, up to 300) identity coefficients.
            expression: (B, up to E) expression coefficients.
            pose: (B, J, 3) axis-angle of root, neck, jaw, left and right eye, each relative to its parent, radians.
        """
        identity, expressive = self.shapedirs[..., : shape.shape[1]], self.shapedirs[..., SHAPES : SHAPES + expression.shape[1]]
        shaped = self.v_template + torch.einsum("vck,bk->bvc", identity, shape)
        shaped = shaped + torch.einsum("vck,bk->bvc", expressive, expression)
        joints = torch.einsum("jv,bvc->bjc", self.J_regressor, shaped)
        rotation = axis_angle_to_matrix(pose)  # (B, J, 3, 3)
        bend = (rotation[:, 1:] - torch.eye(3)).flatten(1)  # (B, 9 (J - 1))
        posed = shaped + torch.einsum("vck,bk->bvc", self.posedirs, bend)
        turn, move = self._chain(rotation, joints)
        blended_turn = torch.einsum("vj,bjcd->bvcd", self.weights, turn)
        blended_move = torch.einsum("vj,bjc->bvc", self.weights, move)
        return (blended_turn @ posed[..., None])[..., 0] + blended_move

    def _chain(self, rotation: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Return each joint's motion ``turn x + move`` of a point x of the unposed head: (B, J, 3, 3) and (B, J, 3)."""
        turns: list[Tensor] = []
        moves: list[Tensor] = []
        for joint, parent in enumerate(self.parents):
            about = joints[:, joint] - (rotation[:, joint] @ joints[:, joint, :, None])[..., 0]  # a turn about the joint itself
            turns.append(rotation[:, joint] if parent < 0 else turns[parent] @ rotation[:, joint])
            moves.append(about if parent < 0 else (turns[parent] @ about[..., None])[..., 0] + moves[parent])
        return torch.stack(turns, 1), torch.stack(moves, 1)

    def displacement(self, joint: int, rotation: tuple[float, float, float]) -> Tensor:
        """Return the displacement of the mean head by a turn of one joint, axis-angle in radians: (V, 3) metres."""
        pose = torch.zeros(1, len(self.parents), 3)
        pose[0, joint] = torch.tensor(rotation)
        none = torch.zeros(1, 0)
        return self(none, none, pose)[0] - self(none, none, torch.zeros_like(pose))[0]


def read_flame(path: Path) -> FaceModel:
    """Read FLAME as the linear model that the tracker fits: its components, and the jaw's turns as shapes.

    Head pose and gaze are the tracker's own, so neck and eye joints rest. ``jawOpen`` and ``jawLeft-jawRight`` are the
    displacements of the mean head at the full angle. In between, the chin then moves along the chord instead of the arc: at half
    of ``jawOpen`` it is ``r (1 - cos 10 degrees)`` off, 1.5 mm at a lever of 100 mm.

    Raises:
        ReenactError: the file cannot be read, or is not FLAME's.
    """
    flame = load_flame(path)
    directions = flame.shapedirs.permute(2, 0, 1) * UNIT  # (300 + E, V, 3)
    components = DEVIATIONS * directions[SHAPES : SHAPES + EXPRESSIONS]
    expressions = {f"component{k:02d}": component for k, component in enumerate(components)}
    left, right = (flame.displacement(JAW, (0.0, side * JAW_ASIDE, 0.0)) for side in (1, -1))
    identity = directions[:IDENTITIES]
    parts = Parts(
        name="flame",
        vertices=flame.v_template * UNIT,
        faces=flame.faces,
        region=torch.zeros(len(flame.faces), dtype=torch.uint8),
        identity_basis=identity,
        identity_scale=torch.ones(len(identity)),
        expressions=expressions
        | {"jawOpen": flame.displacement(JAW, (JAW_OPEN, 0.0, 0.0)) * UNIT, "jawLeft-jawRight": (left - right) / 2 * UNIT},
    )
    return assemble(parts, signed=tuple(expressions))


def load_flame(path: Path) -> Flame:
    """Read the arrays of a FLAME file, .pkl (by ``inert_pickle``) or .npz.

    Raises:
        ReenactError: the file cannot be read, lacks an array, or an array has another shape.
    """
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    else:
        arrays = read_arrays(path)
    needed = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise ReenactError(f"{path} is not a FLAME model: it lacks the array {', '.join(missing)}")
    vertices, joints = len(arrays["v_template"]), arrays["weights"].shape[-1]
    shapes = {
        "v_template": (vertices, 3), "posedirs": (vertices, 3, 9 * (joints - 1)), "J_regressor": (joints, vertices),
        "weights": (vertices, joints), "kintree_table": (2, joints),
    }  # fmt: skip
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ReenactError(f"{path} is not a FLAME model: {name} has shape {arrays[name].shape}, not {shape}")
    if arrays["shapedirs"].shape[:2] != (vertices, 3) or arrays["shapedirs"].shape[2] <= SHAPES:
        raise ReenactError(
            f"{path} is not a FLAME model: shapedirs has shape {arrays['shapedirs'].shape}, not ({vertices}, 3, 400)"
        )
    parents = arrays["kintree_table"][0].astype(np.int64)

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(arrays[name].astype(np.float32))

    return Flame(
        v_template=tensor("v_template"),
        shapedirs=tensor("shapedirs"),
        posedirs=tensor("posedirs"),
        J_regressor=tensor("J_regressor"),
        weights=tensor("weights"),
        parents=(-1, *(int(parent) for parent in parents[1:])),  # the root's own is 2^32 - 1 in the files
        faces=torch.from_numpy(arrays["f"].astype(np.int64)),
    )
