"""Number formats that a device computes in natively."""

from __future__ import annotations

import torch


def computes_in_bfloat16(device: torch.device) -> bool:
    """Tell whether bfloat16 is faster than float32 on a device; where it is emulated, it is many times slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool({"amx_bf16", "avx512_bf16"} & {name for name, there in torch.cpu.get_capabilities().items() if there is True})
