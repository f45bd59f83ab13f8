"""Metadata tags of a video. Every player shows them; no signature protects them."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

AI_GENERATED = "AI-generated"
"""The words that every generated video carries in its ``comment`` tag."""


def code_version() -> str:
    """Return the installed version of lit_reenact, or "unknown" if it runs from files that were never installed."""
    try:
        return version("lit_reenact")
    except PackageNotFoundError:
        return "unknown"


def ai_generated_tags(title: str, **facts: Any) -> dict[str, str]:
    """Return the metadata tags of a generated video.

    Args:
        title: content of the video in a few words.
        **facts: further facts (source, target, checkpoint), stored as JSON in ``description``.

    Returns:
        Tags for ``VideoWriter``. Every common player shows ``title`` and ``comment``.
    """
    return {
        "title": title,
        "comment": f"{AI_GENERATED} video: the frames were synthesised by a neural network (lit_reenact {code_version()})",
        "description": json.dumps({"generator": f"lit_reenact {code_version()}", **facts}, sort_keys=True),
    }


def recording_tags(title: str, **facts: str) -> dict[str, str]:
    """Return the metadata tags of a re-encoded recording in which nothing was synthesised (a working clip).

    Args:
        title: content of the video in a few words.
        **facts: further facts, stored as JSON in ``description``.
    """
    return {
        "title": title,
        "comment": f"Re-encoded by lit_reenact {code_version()}; no frame was synthesised",
        "description": json.dumps(facts, sort_keys=True),
    }


def is_ai_generated(tags: dict[str, str]) -> bool:
    """Return whether the tags of a video (``video.read_tags``) say that it is AI-generated."""
    return AI_GENERATED.lower() in tags.get("comment", "").lower()
