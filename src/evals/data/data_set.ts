import type { EvalItem } from "../task.js";
import {
  type RowReader,
  readHellaSwag,
  readHumanEval,
  readMultipleChoice,
  readTrivia,
  readWinogrande,
} from "./item_rows.js";

/** What the library knows about the data of a built-in task. */
export interface DataSet {
  /** The bundled items, in `notebooks/evals`. */
  demo?: string;
  /** On the Hugging Face hub: repository, and the configuration if no `subset` is asked for. */
  hub: { name: string; configuration: string };
  /** Folders that are looked into for files of the task. */
  folders: RegExp;
  /** The publishers' names of files, with the groups `split`, `subset`, `subject` as far as they are there. */
  file: RegExp;
  /** Another data set of the same form, by its name in a path: its files are not taken by mistake. */
  other?: RegExp;
  /** What `subset` chooses. */
  subsets?: "subject" | "file";
  /** The subset of the publishers' files that is read when none is asked for. */
  defaultSubset?: string;
  /** Whether `dev` is a split of its own and not another word for validation. */
  hasDevSplit?: boolean;
  /** Whether a file that is neither JSON nor parquet is MMLU's CSV. */
  csv?: boolean;
  read: RowReader<EvalItem>;
}

/** By the names of the tasks. */
export const dataSets: Readonly<Record<string, DataSet>> = {
  "arc-easy": {
    demo: "demo-arc.jsonl",
    hub: { name: "allenai/ai2_arc", configuration: "ARC-Easy" },
    folders: /^(arc[-_]?easy|arc-v1.*|ai2_arc)$/i,
    file: /^ARC-Easy-(?<split>Train|Dev|Test)\.jsonl$/i,
    other: /arc[-_]?challenge/i,
    read: readMultipleChoice,
  },
  "arc-challenge": {
    hub: { name: "allenai/ai2_arc", configuration: "ARC-Challenge" },
    folders: /^(arc[-_]?challenge|arc-v1.*|ai2_arc)$/i,
    file: /^ARC-Challenge-(?<split>Train|Dev|Test)\.jsonl$/i,
    other: /arc[-_]?easy/i,
    read: readMultipleChoice,
  },
  humaneval: {
    demo: "demo-humaneval.jsonl",
    hub: { name: "openai/openai_humaneval", configuration: "openai_humaneval" },
    folders: /^(human[-_]?eval|openai_humaneval|data)$/i,
    file: /^Human-?Eval(?<split>)\.jsonl(\.gz)?$/i,
    read: readHumanEval,
  },
  mmlu: {
    demo: "demo-mmlu.jsonl",
    hub: { name: "cais/mmlu", configuration: "all" },
    folders: /^(mmlu|data|all|dev|val|test)$/i,
    file: /^(?<subject>[a-z_]+)_(?<split>dev|val|test)\.csv$/i,
    subsets: "subject",
    hasDevSplit: true,
    csv: true,
    read: readMultipleChoice,
  },
  winogrande: {
    demo: "demo-winogrande.jsonl",
    hub: { name: "allenai/winogrande", configuration: "winogrande_xl" },
    folders: /^(winogrande.*|data)$/i,
    file: /^(?<split>train|dev|test)(_(?<subset>xs|s|m|l|xl))?\.jsonl$/i,
    subsets: "file",
    defaultSubset: "xl",
    read: readWinogrande,
  },
  triviaqa: {
    demo: "demo-triviaqa.jsonl",
    hub: { name: "mandarjoshi/trivia_qa", configuration: "rc.nocontext" },
    folders: /^(trivia[-_]?qa.*|qa|rc\.nocontext)$/i,
    file: /^(?<subset>wikipedia|web|unfiltered-web)-(?<split>train|dev|test)(-without-answers)?\.json$/i,
    subsets: "file",
    defaultSubset: "wikipedia",
    read: readTrivia,
  },
  hellaswag: {
    demo: "demo-hellaswag.jsonl",
    hub: { name: "Rowan/hellaswag", configuration: "default" },
    folders: /^(hellaswag.*|data)$/i,
    file: /^hellaswag_(?<split>train|val|test)\.jsonl$/i,
    read: readHellaSwag,
  },
};
