"""The record of how a video was generated: tags for every player, and the C2PA manifest that is signed.

The manifest follows C2PA 2 (https://spec.c2pa.org): an action ``c2pa.created`` with IPTC's kind of digital source, the
input videos as ingredients, and an assertion of lit_reenact, ``RECORD``, for facts that C2PA has no field for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import Track
from lit_reenact.provenance.tags import ai_generated_tags, code_version

RECORD = "lit_reenact.record"
"""Label of the assertion: ``{"model": {"name", "sha256"} or null, "settings": {...}}``."""

SHA256, ROLE = "lit_reenact.sha256", "lit_reenact.role"
"""Keys in an ingredient's metadata: C2PA has no field for the hash of an ingredient's file and for its role."""

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SYNTHETIC = _SOURCE_TYPES + "trainedAlgorithmicMedia"
COMPOSITE = _SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia"
"""IPTC's kinds of digital source: every frame is synthesised, or synthesised parts are pasted into a recording."""


@dataclass(frozen=True)
class Ingredient:
    """An input video of a generated one.

    Attributes:
        role: "source" (drives) or "target" (is driven).
        name: file name.
        sha256: SHA-256 of the file, 64 hexadecimal digits.
    """

    role: str
    name: str
    sha256: str

    @classmethod
    def of(cls, track: Track, role: str) -> Ingredient:
        """Return the video that was tracked, not its working clip."""
        return cls(role, track.info.source, track.info.source_sha256)


@dataclass(frozen=True)
class Model:
    """The checkpoint of the network that generated a video.

    Attributes:
        name: file name.
        sha256: SHA-256 of the file, 64 hexadecimal digits.
    """

    name: str
    sha256: str

    @classmethod
    def of(cls, file: Path) -> Model:
        """Return name and digest of a checkpoint file."""
        return cls(file.name, sha256_of(file))


@dataclass(frozen=True)
class Record:
    """The facts about how a video was generated.

    Attributes:
        title: content of the video in a few words.
        ingredients: input videos.
        model: checkpoint of the network; None while it is in training and has no file.
        settings: transfer policy, edits and other settings, in values that JSON can hold.
        composite: whether the synthesised part was pasted into frames of a recording.

    Example:
        >>> record = Record("b reenacted by a", (Ingredient.of(target, "target"), Ingredient.of(source, "source")))
        >>> with open_generated_video(Path("b.mp4"), fps, record) as video:
        ...     video.write(frame)
    """

    title: str
    ingredients: tuple[Ingredient, ...]
    model: Model | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    composite: bool = False

    def tags(self) -> dict[str, str]:
        """Return the metadata tags for ``VideoWriter``."""
        facts = {f"{ingredient.role}_sha256": ingredient.sha256 for ingredient in self.ingredients}
        if self.model is not None:
            facts |= {"checkpoint": self.model.name, "checkpoint_sha256": self.model.sha256}
        return ai_generated_tags(self.title, **{**self.settings, **facts})

    def manifest(self) -> dict[str, Any]:
        """Return the C2PA manifest of an mp4 file that is finished now."""
        generator = {"name": "lit_reenact", "version": code_version()}
        created = {
            "action": "c2pa.created",
            "digitalSourceType": COMPOSITE if self.composite else SYNTHETIC,
            "when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "softwareAgent": generator,
            "parameters": {"ingredientIds": [f"ingredient-{number}" for number in range(len(self.ingredients))]},
        }
        return {
            "title": self.title,
            "format": "video/mp4",
            "claim_generator_info": [generator],
            "ingredients": [
                {
                    "label": f"ingredient-{number}",
                    "title": ingredient.name,
                    "relationship": "inputTo",
                    "metadata": {ROLE: ingredient.role, SHA256: ingredient.sha256},
                }
                for number, ingredient in enumerate(self.ingredients)
            ],
            "assertions": [
                {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
                {"label": RECORD, "data": {"model": self.model and asdict(self.model), "settings": dict(self.settings)}},
            ],
        }
