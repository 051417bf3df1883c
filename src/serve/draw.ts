/**
 * The seed of one of several texts: those of one request differ, and a seed that was given makes each repeatable.
 * @param seed any whole number that JavaScript has exactly; OpenAI's interface has negative ones, too
 */
export function drawnSeed(seed: number | undefined, index: number): number {
  if (seed === undefined) return Math.floor(Math.random() * 2 ** 53);
  const all = BigInt(Number.MAX_SAFE_INTEGER);
  return Number((((BigInt(seed) + BigInt(index)) % all) + all) % all);
}
