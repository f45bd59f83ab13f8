"""Checks of a machine and of videos before hours are spent on them."""
