"""The synthetic track, made once for all tests of this folder."""

from tests.factories import track_folder

__all__ = ["track_folder"]
