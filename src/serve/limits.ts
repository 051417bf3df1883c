import { freemem } from "node:os";
import { checkOptionNames, PersimmonError } from "../errors.js";

/** What a server gives to those who ask at most. */
export interface ServeLimits {
  /** Bytes of a request's body; 1 MiB. */
  bodyBytes: number;
  /** Texts that one request may ask for, prompts times choices; 128, as Adept's server has it for prompts. */
  choices: number;
  /** Tokens that may be made for one text; default: what the context has room for. */
  newTokens: number;
  /** Texts that are decoded together; 16. */
  batch: number;
  /**
   * Positions of keys and values that all running texts may take; default: what half of the free memory holds, from one
   * context to four.
   */
  kvTokens: number;
  /** Texts that may wait for a place in the batch; 256. */
  queue: number;
  /** Seconds that a request may take, waiting included; 600. */
  seconds: number;
  /** Seconds that running requests have to finish when the server is stopped; 30. */
  graceSeconds: number;
}

/** Contexts that a model's KV cache has room for. */
const kvContexts = 4;

/**
 * Fills in defaults.
 * @param maxLength positions of the model's context
 * @param bytesPerToken of keys and values
 * @throws PersimmonError OPTION_INVALID, OPTION_UNKNOWN
 */
export function checkLimits(
  given: Partial<ServeLimits>,
  { maxLength, bytesPerToken }: { maxLength: number; bytesPerToken: number },
): ServeLimits {
  const affordable = Math.floor(freemem() / 2 / bytesPerToken);
  const limits: ServeLimits = {
    bodyBytes: 2 ** 20,
    choices: 128,
    newTokens: maxLength,
    batch: 16,
    kvTokens: Math.min(kvContexts * maxLength, Math.max(maxLength, affordable)),
    queue: 256,
    seconds: 600,
    graceSeconds: 30,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  checkOptionNames("serve", given, Object.keys(ranges));
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const value = limits[name as keyof ServeLimits];
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    throw new PersimmonError(
      "OPTION_INVALID",
      `serve: ${name} must be a whole number from ${least} to ${most}, got ${String(value)}`,
    );
  }
  if (limits.kvTokens < maxLength || limits.kvTokens > kvContexts * maxLength) {
    throw new PersimmonError(
      "OPTION_INVALID",
      `serve: kvTokens must be from ${maxLength}, one context, to ${kvContexts * maxLength}, what the KV cache holds, got ${limits.kvTokens}; load the model with a smaller maxLength to have less`,
    );
  }
  return limits;
}

const ranges: Record<keyof ServeLimits, [least: number, most: number]> = {
  bodyBytes: [1024, 2 ** 30],
  choices: [1, 10_000],
  newTokens: [1, 2 ** 31],
  batch: [1, 1024],
  kvTokens: [1, 2 ** 40],
  queue: [1, 1_000_000],
  // setTimeout counts milliseconds in 31 bits.
  seconds: [1, 2_147_483],
  graceSeconds: [0, 2_147_483],
};
