"""Writes test/tensor/ops/fixtures/pytorch.json: what PyTorch computes in double precision for a few ops.

    python scripts/reference/op_fixtures.py        (needs torch)
"""

import json
from pathlib import Path

import torch
from torch.nn import functional

OUTPUT = Path(__file__).resolve().parents[2] / "test" / "tensor" / "ops" / "fixtures" / "pytorch.json"


def numbers(tensor):
    return [float(f"{value:.12g}") for value in tensor.flatten().tolist()]


def normal(*shape):
    """Numbers that are exact in float32."""
    return torch.randn(*shape, generator=generator).double() * 2


generator = torch.Generator().manual_seed(8)
edges = torch.tensor([0, 1e-30, -1e-30, 1e-3, -1e-3, 0.5, -0.5, 1, -1, 4, -4, 9, -9, 13, -13, 80, -80]).double()
x = torch.cat([edges, normal(30)])
rows, weight = normal(3, 19), normal(19)
q, k, v = normal(5, 2, 7), normal(5, 2, 7), normal(5, 2, 7)


def attention(causal, scale=None):
    heads = [tensor.transpose(0, 1) for tensor in (q, k, v)]
    return functional.scaled_dot_product_attention(*heads, is_causal=causal, scale=scale).transpose(0, 1)


fixture = dict(
    torch=torch.__version__.split("+")[0],
    elementwise=dict(
        x=[float(value) for value in x],
        gelu=numbers(functional.gelu(x)),
        geluTanh=numbers(functional.gelu(x, approximate="tanh")),
        silu=numbers(functional.silu(x)),
        sigmoid=numbers(torch.sigmoid(x)),
        tanh=numbers(torch.tanh(x)),
    ),
    rmsNorm=dict(
        x=rows.flatten().tolist(), weight=weight.tolist(), epsilon=1e-5,
        out=numbers(functional.rms_norm(rows, [19], weight, 1e-5)),
    ),
    attention=dict(
        shape=[5, 2, 7], q=q.flatten().tolist(), k=k.flatten().tolist(), v=v.flatten().tolist(),
        full=numbers(attention(False)), causal=numbers(attention(True)), causalScaled=numbers(attention(True, 0.3)),
    ),
)

OUTPUT.parent.mkdir(parents=True, exist_ok=True)
OUTPUT.write_text(json.dumps(fixture, indent=1) + "\n")
