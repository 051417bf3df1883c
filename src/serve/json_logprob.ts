/** JSON has no infinity: what has no probability at all is −9999, as in OpenAI's interface. */
export function jsonLogprob(logprob: number): number {
  return Math.max(logprob, -9999);
}
