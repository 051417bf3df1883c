import { PersimmonError } from "../../errors.js";
import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectFloat32 } from "./check.js";

/** max(x, 0)², the activation of Persimmon (squared ReLU; So et al. 2021, "Primer"). */
export function reluSquared(x: Tensor): Tensor {
  return elementwise("reluSquared", x);
}

/** max(x, 0) */
export function relu(x: Tensor): Tensor {
  return elementwise("relu", x);
}

/**
 * x · P(Z < x) for a normal Z, that is x / 2 · (1 + erf(x / √2)) (Hendrycks & Gimpel 2016, "Gaussian Error Linear
 * Units"). With `approximate: "tanh"` their approximation x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))). −∞ gives NaN, as
 * in PyTorch. Throws `ARGUMENT_INVALID` for another approximation.
 */
export function gelu(x: Tensor, options: { approximate?: "none" | "tanh" } = {}): Tensor {
  const { approximate = "none" } = options;
  if (approximate !== "none" && approximate !== "tanh") {
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      `ops.gelu: approximate must be "none" or "tanh", got ${String(approximate)}`,
    );
  }
  return elementwise(approximate === "tanh" ? "geluTanh" : "gelu", x);
}

/**
 * x · sigmoid(x), also called swish (Hendrycks & Gimpel 2016; Ramachandran et al. 2017, "Searching for Activation
 * Functions"). −∞ gives NaN, as in PyTorch.
 */
export function silu(x: Tensor): Tensor {
  return elementwise("silu", x);
}

/** 1 / (1 + exp(−x)); exactly 0 below −87.34, where float32 has subnormal numbers only. */
export function sigmoid(x: Tensor): Tensor {
  return elementwise("sigmoid", x);
}

/** The hyperbolic tangent, (exp(x) − exp(−x)) / (exp(x) + exp(−x)). */
export function tanh(x: Tensor): Tensor {
  return elementwise("tanh", x);
}

function elementwise(
  op: "reluSquared" | "relu" | "gelu" | "geluTanh" | "silu" | "sigmoid" | "tanh",
  x: Tensor,
): Tensor {
  expectFloat32(op, "x", x);
  const out = Tensor.empty(x.device, x.shape);
  native()[op](x.device.stream, out.buffer, x.buffer, x.size);
  return out;
}
