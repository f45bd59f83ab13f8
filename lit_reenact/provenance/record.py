"""What a generated video says of its making: as tags for every player, and as the C2PA manifest that is signed.

The manifest follows C2PA 2 (https://spec.c2pa.org): an action ``c2pa.created`` with IPTC's kind of digital source, the videos it
was made of as ingredients, and an assertion of our own, ``RECORD``, with what C2PA has no place for.
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
"""Keys in an ingredient's metadata: an ingredient has no field for the hash of its file, nor for what it was used as."""

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SYNTHETIC = _SOURCE_TYPES + "trainedAlgorithmicMedia"
COMPOSITE = _SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia"


@dataclass(frozen=True)
class Ingredient:
    """A video that another one was made of.

    Attributes:
        role: what it was in the making: "target" or "source".
        name: of its file.
        sha256: of its file, 64 hexadecimal digits.
    """

    role: str
    name: str
    sha256: str

    @classmethod
    def of(cls, track: Track, role: str) -> Ingredient:
        """The video that was tracked, not its working clip."""
        return cls(role, track.info.source, track.info.source_sha256)


@dataclass(frozen=True)
class Model:
    """The file of the network that made a video: its name and SHA-256."""

    name: str
    sha256: str

    @classmethod
    def of(cls, file: Path) -> Model:
        return cls(file.name, sha256_of(file))


@dataclass(frozen=True)
class Record:
    """How a video was made.

    Attributes:
        title: what it shows, in a few words.
        ingredients: the videos it was made of.
        model: the network; None while it is still in training and has no file.
        settings: the transfer's policy, the edits ...: whatever JSON can hold.
        composite: whether what was synthesised was pasted into frames of a recording.
    """

    title: str
    ingredients: tuple[Ingredient, ...]
    model: Model | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    composite: bool = False

    def tags(self) -> dict[str, str]:
        """Metadata tags for ``VideoWriter``."""
        facts = {f"{ingredient.role}_sha256": ingredient.sha256 for ingredient in self.ingredients}
        if self.model is not None:
            facts |= {"checkpoint": self.model.name, "checkpoint_sha256": self.model.sha256}
        return ai_generated_tags(self.title, **{**self.settings, **facts})

    def manifest(self) -> dict[str, Any]:
        """The C2PA manifest of an mp4 that is finished now."""
        generator = {"name": "lit_reenact", "version": code_version()}
        made = {
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
                {"label": "c2pa.actions.v2", "data": {"actions": [made]}},
                {"label": RECORD, "data": {"model": self.model and asdict(self.model), "settings": dict(self.settings)}},
            ],
        }
