"""Compiled rasterizer for CPUs (numba), behind the functions of the torch one."""
