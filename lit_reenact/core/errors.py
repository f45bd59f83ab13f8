"""The exception that a user is meant to read."""

from __future__ import annotations


class ReenactError(Exception):
    """Bad input, reported in one sentence: which file or setting, what is wrong with it, and what to do.

    The command line prints the sentence and exits with code 2; nothing else in the package prints errors.
    """
