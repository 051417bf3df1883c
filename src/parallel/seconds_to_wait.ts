import { PersimmonError } from "../errors.js";

/**
 * How long a rank waits for another, as an environment variable says: 600 seconds, long enough for one that loads its weights from
 * a slow disk.
 * @throws PersimmonError OPTION_INVALID
 */
export function secondsToWait(variable: string): number {
  const text = process.env[variable] ?? "600";
  const seconds = Number(text);
  if (seconds > 0) return seconds;
  throw new PersimmonError(
    "OPTION_INVALID",
    `${variable} must be a number of seconds above 0, got ${JSON.stringify(text)}`,
  );
}
