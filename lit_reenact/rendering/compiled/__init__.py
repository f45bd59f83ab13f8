"""The numba backend for CPUs, behind the functions of the torch renderer; only ``rendering.backend`` imports its ``kernels``."""
