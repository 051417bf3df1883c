import { PersimmonError } from "../../errors.js";
import { differencesOf, type Manifest, type ManifestDraft } from "../run/manifest.js";
import { libraryVersion } from "../run/prepare.js";
import { objectOf } from "./jupyter_server.js";
import { isCount } from "./received_sample.js";

/**
 * The manifest that a run on a server has. Only what the model there says is taken over; all else must be as it would be here:
 * the task's version, its stops, the settings, the data and the version of the library.
 * @throws PersimmonError EVAL_SERVER_REPLY_INVALID, EVAL_SERVER_MISMATCH, which names what differs
 */
export function expectedManifest(received: unknown, draft: ManifestDraft, server: string): Manifest {
  const { model, engine, settings } = objectOf(received) ?? {};
  const wanted: Manifest = {
    ...draft,
    settings: { ...draft.settings, bos: draft.settings.bos ?? Boolean(objectOf(settings)?.bos) },
    model: modelRecord(model, server),
    engine: {
      name: "persimmon-lab",
      version: libraryVersion(),
      device: String(objectOf(engine)?.device),
      kernel: String(objectOf(engine)?.kernel),
    },
  };
  expectSame(wanted, received, "here", server);
  return wanted;
}

/** Throws `EVAL_SERVER_MISMATCH` with what differs. */
export function expectSame(a: unknown, b: unknown, placeOfA: string, placeOfB: string): void {
  const differences = differencesOf(a, b).map(
    ({ path, a: one, b: other }) => `${path} is ${one} ${placeOfA} and ${other} on ${placeOfB}`,
  );
  if (differences.length === 0) return;
  throw new PersimmonError(
    "EVAL_SERVER_MISMATCH",
    `the samples of ${placeOfB} would not be those of the same run: ${differences.join("; ")}`,
  );
}

function modelRecord(value: unknown, server: string): Manifest["model"] {
  const { sha256, dtype, layers, hidden, changed, logits_sha256: logits } = objectOf(value) ?? {};
  const { modules, interventions } = objectOf(changed) ?? {};
  const isRight =
    (sha256 === null || isSha256(sha256)) &&
    typeof dtype === "string" &&
    isCount(layers) &&
    isCount(hidden) &&
    isTexts(modules) &&
    isTexts(interventions) &&
    isSha256(logits);
  if (!isRight) {
    throw new PersimmonError(
      "EVAL_SERVER_REPLY_INVALID",
      `${server}: expected the record of a model, found ${(JSON.stringify(value) ?? "nothing").slice(0, 200)}`,
    );
  }
  return { sha256, dtype, layers, hidden, changed: { modules, interventions }, logits_sha256: logits };
}

function isSha256(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
