"""In which type the matrix products of the training are computed; the weights stay float32."""

import torch


def matrix_dtype(device: str) -> torch.dtype:
    """bfloat16 where the hardware multiplies it: 2.5 times as fast as float32 on a CPU with avx512_bf16, and eight times
    slower on one without (8 against 70 GFLOP/s a core on Zen 3)."""
    if device == "cpu" and not torch.cpu.get_capabilities().get("avx512_bf16", False):
        return torch.float32
    return torch.bfloat16
