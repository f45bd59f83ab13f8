"""The synthetic track, which all tests of this folder share."""

from tests.factories import track_folder

__all__ = ["track_folder"]
