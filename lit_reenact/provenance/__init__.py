"""The record of a generated video: tags that say AI-generated, and a C2PA manifest under a signature."""

from __future__ import annotations

from lit_reenact.provenance.record import Ingredient, Model, Record
from lit_reenact.provenance.signing import make_signer, open_generated_video, sign
from lit_reenact.provenance.tags import AI_GENERATED, ai_generated_tags, code_version, is_ai_generated, recording_tags

__all__ = [
    "AI_GENERATED",
    "Ingredient",
    "Model",
    "Record",
    "ai_generated_tags",
    "code_version",
    "is_ai_generated",
    "make_signer",
    "open_generated_video",
    "recording_tags",
    "sign",
]
