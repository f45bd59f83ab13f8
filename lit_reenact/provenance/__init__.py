"""What a file says about itself: every video made here carries a note that a machine made it, and a signature under it."""

from __future__ import annotations

from lit_reenact.provenance.record import Ingredient, Model, Record
from lit_reenact.provenance.signing import generated_video, sign, signer
from lit_reenact.provenance.tags import AI_GENERATED, ai_generated_tags, code_version, is_ai_generated, recording_tags

__all__ = [
    "AI_GENERATED",
    "Ingredient",
    "Model",
    "Record",
    "ai_generated_tags",
    "code_version",
    "generated_video",
    "is_ai_generated",
    "recording_tags",
    "sign",
    "signer",
]
