import { PersimmonError } from "../../errors.js";

/** Where the questions of a run and their examples come from. */
export interface PresetSplits {
  readonly questions: string;
  readonly shots: string;
}

/** Names of the presets. */
export type Preset = "adept" | "clean";

const same = (split: string): PresetSplits => ({ questions: split, shots: split });

/**
 * Which split is asked and which gives the examples, by task.
 *
 * `adept` follows the ten prompts that were released with Persimmon: of the rows that they show, all of ARC are in the
 * validation split of ARC-Easy, those of MMLU in test, those of Winogrande in validation, and an example comes from the split
 * of its question. For ARC-Challenge and HellaSwag, of which nothing is shown, the same is assumed.
 *
 * `clean` asks the test split and takes examples from train, as far as there are any: the answers of Winogrande's,
 * HellaSwag's and TriviaQA's test sets are not published, so their validation sets are asked; MMLU's examples are its `dev` split,
 * made for that; HumanEval has one split.
 */
export const presets: Readonly<Record<Preset, Readonly<Record<string, PresetSplits>>>> = {
  adept: {
    "arc-easy": same("validation"),
    "arc-challenge": same("validation"),
    humaneval: same("test"),
    mmlu: same("test"),
    winogrande: same("validation"),
    triviaqa: same("validation"),
    hellaswag: same("validation"),
  },
  clean: {
    "arc-easy": { questions: "test", shots: "train" },
    "arc-challenge": { questions: "test", shots: "train" },
    humaneval: same("test"),
    mmlu: { questions: "test", shots: "dev" },
    winogrande: { questions: "validation", shots: "train" },
    triviaqa: { questions: "validation", shots: "train" },
    hellaswag: { questions: "validation", shots: "train" },
  },
};

/**
 * The splits of a preset for a built-in task. The bundled items (source "demo") have one split, `demo`, in both presets.
 * @throws PersimmonError PRESET_UNKNOWN
 */
export function presetSplits(preset: string, task: string, source: unknown = "hub"): PresetSplits {
  if (!Object.hasOwn(presets, preset)) {
    const names = Object.keys(presets).join(", ");
    throw new PersimmonError(
      "PRESET_UNKNOWN",
      `there is no preset ${JSON.stringify(preset)}; there are ${names}`,
    );
  }
  const splits = presets[preset as Preset];
  if (!Object.hasOwn(splits, task)) {
    throw new PersimmonError(
      "PRESET_UNKNOWN",
      `the presets are for the built-in tasks, not for ${JSON.stringify(task)}: give the split instead`,
    );
  }
  return source === "demo" ? same("demo") : splits[task];
}

/** What of a run a preset would have decided. */
export interface AskedSplits {
  task: string;
  questions: string;
  /** undefined without examples. */
  shots: string | undefined;
}

/**
 * Which preset is in force, such as `preset adept`, `no preset`, or, where a split was named beside it, `preset clean but for
 * questions from validation`.
 */
export function presetText(preset: string | null, { task, questions, shots }: AskedSplits): string {
  if (preset === null) return "no preset";
  const splits = presets[preset as Preset]?.[task];
  // The bundled items have one split in both.
  if (splits === undefined || questions === "demo") return `preset ${preset}`;
  const others = [
    ...(questions === splits.questions ? [] : [`questions from ${questions}`]),
    ...(shots === undefined || shots === splits.shots ? [] : [`examples from ${shots}`]),
  ];
  return others.length === 0 ? `preset ${preset}` : `preset ${preset} but for ${others.join(" and ")}`;
}
