/**
 * Every op in plain loops and double precision, to compare kernels with. Written to be obviously right, not fast. Arrays
 * are row-major.
 */
type Values = ArrayLike<number>;

export function add(a: Values, b: Values): Float64Array {
  return Float64Array.from(a, (value, i) => value + b[i]);
}

export function reluSquared(x: Values): Float64Array {
  return Float64Array.from(x, (value) => (value > 0 ? value * value : 0));
}

/** x [rows, inFeatures] · weight [outFeatures, inFeatures]ᵀ + bias */
export function linear(
  x: Values,
  weight: Values,
  bias: Values | undefined,
  inFeatures: number,
  outFeatures: number,
  rows: number,
): Float64Array {
  const out = new Float64Array(rows * outFeatures);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outFeatures; o++) {
      let sum = bias?.[o] ?? 0;
      for (let i = 0; i < inFeatures; i++) sum += x[row * inFeatures + i] * weight[o * inFeatures + i];
      out[row * outFeatures + o] = sum;
    }
  }
  return out;
}

/** Applies `f` to each row of `width` numbers. */
function byRow(x: Values, width: number, f: (row: Float64Array) => ArrayLike<number>): Float64Array {
  const out = new Float64Array(x.length);
  const all = Float64Array.from(x);
  for (let start = 0; start < x.length; start += width) {
    out.set(f(all.subarray(start, start + width)), start);
  }
  return out;
}

export function layerNorm(x: Values, weight: Values, bias: Values, epsilon: number): Float64Array {
  const width = weight.length;
  return byRow(x, width, (row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / width;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    return row.map((value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * weight[i] + bias[i]);
  });
}

export function logSoftmax(x: Values, width: number): Float64Array {
  return byRow(x, width, (row) => {
    const max = Math.max(...row);
    const logSum = max + Math.log(row.reduce((sum, value) => sum + Math.exp(value - max), 0));
    return row.map((value) => value - logSum);
  });
}

export function softmax(x: Values, width: number): Float64Array {
  return logSoftmax(x, width).map(Math.exp);
}

/** The first index of the largest value of each row. */
export function argmax(x: Values, width: number): number[] {
  return Array.from({ length: x.length / width }, (_, r) => {
    const row = Array.from(x).slice(r * width, (r + 1) * width);
    return row.indexOf(Math.max(...row));
  });
}

export function embedding(table: Values, hidden: number, ids: readonly number[]): Float64Array {
  const out = new Float64Array(ids.length * hidden);
  for (const [row, id] of ids.entries()) {
    for (let i = 0; i < hidden; i++) out[row * hidden + i] = table[id * hidden + i];
  }
  return out;
}

/** qkv [tokens, heads, 3, headDim] → q, k and v, each [tokens, heads, headDim] */
export function splitHeads(
  qkv: Values,
  headDim: number,
): [q: Float64Array, k: Float64Array, v: Float64Array] {
  const parts = [0, 1, 2].map((part) => {
    const out = new Float64Array(qkv.length / 3);
    for (let i = 0; i < out.length; i++) {
      out[i] = qkv[(Math.floor(i / headDim) * 3 + part) * headDim + (i % headDim)];
    }
    return out;
  });
  return parts as [Float64Array, Float64Array, Float64Array];
}

/** Rotate-half on the first 2 · half dimensions of each head; cos and sin are [positions, half]. */
export function rotary(
  x: Values,
  cos: Values,
  sin: Values,
  half: number,
  heads: number,
  headDim: number,
  positions: readonly number[],
): Float64Array {
  const out = Float64Array.from(x);
  for (const [token, position] of positions.entries()) {
    for (let head = 0; head < heads; head++) {
      const at = (token * heads + head) * headDim;
      for (let j = 0; j < half; j++) {
        const c = cos[position * half + j];
        const s = sin[position * half + j];
        out[at + j] = x[at + j] * c - x[at + half + j] * s;
        out[at + half + j] = x[at + half + j] * c + x[at + j] * s;
      }
    }
  }
  return out;
}

/** Rotated keys and values of one sequence, position by position: each entry is [heads, headDim]. */
export interface History {
  keys: Values[];
  values: Values[];
}

/** Causal attention of one token of a sequence: its pattern [heads, keys] and z [heads, headDim]. */
export function attendOne(
  q: Values,
  position: number,
  history: History,
  heads: number,
  headDim: number,
  keys: number,
): { pattern: Float64Array; z: Float64Array } {
  const pattern = new Float64Array(heads * keys);
  const z = new Float64Array(heads * headDim);
  for (let head = 0; head < heads; head++) {
    const at = head * headDim;
    const scores = new Float64Array(position + 1);
    for (let p = 0; p <= position; p++) {
      for (let d = 0; d < headDim; d++) scores[p] += q[at + d] * history.keys[p][at + d];
      scores[p] /= Math.sqrt(headDim);
    }
    const weights = softmax(scores, position + 1);
    pattern.set(weights, head * keys);
    for (let p = 0; p <= position; p++) {
      for (let d = 0; d < headDim; d++) z[at + d] += weights[p] * history.values[p][at + d];
    }
  }
  return { pattern, z };
}

/**
 * The distribution that Adept's server draws from: logits / temperature, top-k with ties, then top-p through the first
 * token whose cumulative probability exceeds p, then softmax.
 */
export function samplingDistribution(
  logits: Values,
  { temperature, topK, topP }: { temperature: number; topK: number; topP: number },
): Float64Array {
  let scaled = Float64Array.from(logits, (value) => value / temperature);
  if (topK > 0 && topK < scaled.length) {
    const kth = Float64Array.from(scaled).sort().reverse()[topK - 1];
    scaled = scaled.map((value) => (value < kth ? -Infinity : value));
  }
  if (topP > 0 && topP < 1) {
    const probabilities = softmax(scaled, scaled.length);
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a] || a - b);
    let sum = 0;
    const kept = new Set<number>();
    for (const index of order) {
      kept.add(index);
      sum += probabilities[index];
      if (sum > topP) break;
    }
    scaled = scaled.map((value, index) => (kept.has(index) ? value : -Infinity));
  }
  return softmax(scaled, scaled.length);
}

/** bfloat16 keeps the upper 16 bits of a float32; round to nearest, ties to even. */
export function roundToBFloat16(values: Float32Array): Float32Array {
  const words = new Uint32Array(Float32Array.from(values).buffer);
  for (let i = 0; i < words.length; i++) {
    const upper = words[i] & 0xffff0000;
    const lower = words[i] & 0xffff;
    const up = lower > 0x8000 || (lower === 0x8000 && (words[i] & 0x10000) !== 0);
    words[i] = upper + (up ? 0x10000 : 0);
  }
  return new Float32Array(words.buffer);
}
