/**
 * The ops that are there for modules of one's own, in plain loops and double precision; see reference_ops.ts. Arrays are
 * row-major.
 */
type Values = ArrayLike<number>;

/** P(Z < x) for a normal Z: a series of positive terms near 0 and a continued fraction in the tail. */
export function normalProbability(x: number): number {
  const t = Math.abs(x);
  const density = Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  if (t === Infinity) return x > 0 ? 1 : 0;
  let tail: number;
  if (t < 3) {
    let term = t;
    let sum = t;
    for (let n = 1; n < 100; n++) {
      term *= (t * t) / (2 * n + 1);
      sum += term;
    }
    tail = 0.5 - density * sum;
  } else {
    let fraction = t;
    for (let n = 200; n > 0; n--) fraction = t + n / fraction;
    tail = density / fraction;
  }
  return x < 0 ? tail : 1 - tail;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

export const activations: Record<string, (x: number) => number> = {
  relu: (x) => (x < 0 ? 0 : x),
  gelu: (x) => x * normalProbability(x),
  geluTanh: (x) => x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)),
  silu: (x) => x * sigmoid(x),
  sigmoid,
  tanh: Math.tanh,
};

export function rmsNorm(x: Values, weight: Values, epsilon: number): Float64Array {
  const width = weight.length;
  return Float64Array.from(x, (value, i) => {
    const start = i - (i % width);
    let squares = 0;
    for (let j = 0; j < width; j++) squares += x[start + j] ** 2;
    return (value / Math.sqrt(squares / width + epsilon)) * weight[i % width];
  });
}

/** a [batch, rows, inner] · b [batch, inner, columns] */
export function matmul(
  a: Values,
  b: Values,
  batch: number,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const out = new Float64Array(batch * rows * columns);
  for (let i = 0; i < batch * rows; i++) {
    const start = Math.floor(i / rows) * inner * columns;
    for (let j = 0; j < columns; j++) {
      for (let k = 0; k < inner; k++) out[i * columns + j] += a[i * inner + k] * b[start + k * columns + j];
    }
  }
  return out;
}

/** The k largest of one row: columns in descending order of their numbers, then in order of column; NaN first. */
export function topColumns(row: Values, k: number): number[] {
  const rank = (value: number) => (Number.isNaN(value) ? Infinity : value);
  const comesFirst = (value: number) => Number(Number.isNaN(value));
  return Array.from(row, (_, i) => i)
    .sort((i, j) => {
      if (comesFirst(row[i]) !== comesFirst(row[j])) return comesFirst(row[j]) - comesFirst(row[i]);
      const [a, b] = [rank(row[i]), rank(row[j])];
      return a === b ? i - j : a > b ? -1 : 1;
    })
    .slice(0, k);
}

/** q [tokens, heads, dim], k and v [keys, heads, dim]; token i sees keys 0 … i, or all of them. */
export function attention(
  q: Values,
  k: Values,
  v: Values,
  sizes: { tokens: number; keys: number; heads: number; dim: number },
  causal: boolean,
  scale: number,
): Float64Array {
  const { tokens, keys, heads, dim } = sizes;
  const out = new Float64Array(tokens * heads * dim);
  for (let token = 0; token < tokens; token++) {
    for (let head = 0; head < heads; head++) {
      const at = (token * heads + head) * dim;
      const scores = Array.from({ length: causal ? token + 1 : keys }, (_, key) => {
        let dot = 0;
        for (let i = 0; i < dim; i++) dot += q[at + i] * k[(key * heads + head) * dim + i];
        return dot * scale;
      });
      const max = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - max));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [key, weight] of weights.entries()) {
        for (let i = 0; i < dim; i++) out[at + i] += (weight / total) * v[(key * heads + head) * dim + i];
      }
    }
  }
  return out;
}
