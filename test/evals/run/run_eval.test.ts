import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readItems } from "../../../src/evals/data/read_items.js";
import type { RunEvalOptions } from "../../../src/evals/run/options.js";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { loadRun, scoreRun } from "../../../src/evals/run/score_run.js";
import { defineTask, evalTasks, findTask } from "../../../src/evals/tasks/index.js";
import { edits, type LanguageModel, loadModel, nn } from "../../../src/index.js";
import { failureOf } from "../../support/codes.js";
import { temporaryDirectory } from "../../support/tiny_checkpoint.js";
import { answersTo, linesOf, modelThatWrites, sampleBytes } from "./support.js";

let model: LanguageModel;
const directory = temporaryDirectory();
beforeAll(async () => {
  model = await loadModel();
});

const quiet = { progress: false } as const;
const arc = (more: Partial<RunEvalOptions> = {}) =>
  runEval({ model, task: "arc-easy", data: "demo", limit: 24, batchSize: 4, ...quiet, ...more });
const folderOf = (name: string) => join(directory, name);

describe("an oracle", () => {
  const withDemo = evalTasks.filter(({ name }) => name !== "arc-challenge" && name !== "humaneval");

  it.each(withDemo.map((task) => [task.name, task] as const))(
    "%s: every right answer counts, through the whole runner",
    async (name, task) => {
      const { items } = await readItems(task, "demo");
      const oracle = await modelThatWrites(answersTo(task, items, (item) => ` ${task.gold(item)}`));
      const result = await runEval({ model: oracle, task: name, data: "demo", ...quiet });
      expect(result).toMatchObject({ accuracy: 1, n: items.length, unparsed: 0, isComplete: true });
      const mute = await modelThatWrites(() => " A planet");
      const nothing = await runEval({ model: mute, task: name, data: "demo", ...quiet });
      expect(nothing.accuracy).toBe(0);
    },
  );

  it("a constant answer gets its share", async () => {
    const task = findTask("arc-easy");
    const { items } = await readItems(task, "demo");
    const share = items.filter((item) => task.gold(item) === "A").length / items.length;
    const result = await runEval({
      model: await modelThatWrites(() => " A"),
      task: "arc-easy",
      data: "demo",
      ...quiet,
    });
    expect(result.accuracy).toBe(share);
    expect(share).toBeGreaterThan(0.2);
  });

  it("answers that cannot be read are counted apart, and warned of above 5 %", async () => {
    const confused = await modelThatWrites(() => "Answer:\nB.");
    const result = await runEval({ model: confused, task: "arc-easy", data: "demo", ...quiet });
    expect(result.unparsed).toBe(394);
    expect(result.accuracy).toBe(0);
    expect(result.summary.lenient?.accuracy).toBeGreaterThan(0.15);
    expect(String(result)).toMatch(/^arc-easy demo, generate: 0\.0 % /);
    expect(String(result)).toMatch(/unparsed 394\/394/);
    expect(String(result)).toMatch(/WARNING: 394 of 394 answers \(100\.0 %\) could not be read/);
  });
});

describe("a run", () => {
  it("has the accuracy that the Python implementation found on the same prompts", async () => {
    // models/demo/README.md: 300 of 394; its examples are chosen under the name "arc".
    const task = { ...findTask("arc-easy"), name: "arc" };
    const { items } = await readItems(findTask("arc-easy"), "demo");
    const result = await runEval({ model, task, data: items, ...quiet });
    expect([result.correct, result.n, result.unparsed]).toEqual([300, 394, 0]);
  });

  it("twice gives the same bytes; in batches of 1 and of 7 the same but for the fingerprint", async () => {
    for (const [name, batchSize] of Object.entries({ a: 4, b: 4, one: 1, seven: 7 })) {
      await arc({ folder: folderOf(name), batchSize });
    }
    expect(linesOf(folderOf("a"))).toHaveLength(24);
    expect(sampleBytes(folderOf("b"))).toBe(sampleBytes(folderOf("a")));
    // The order depends on which answers of a batch end first.
    const stripped = (name: string) =>
      linesOf(folderOf(name))
        .map((line) => line.slice(line.indexOf('"task"')))
        .sort();
    expect(stripped("one")).toEqual(stripped("a"));
    expect(stripped("seven")).toEqual(stripped("a"));
  });

  it("writes the lines that the specification names, in a folder with its files", async () => {
    const folder = folderOf("fields");
    await arc({ folder, limit: 2 });
    expect(readdirSync(folder).sort()).toEqual([
      "exec.jsonl",
      "manifest.json",
      "origin.json",
      "samples.jsonl",
      "summary.json",
      "timing.jsonl",
    ]);
    expect(Object.keys(JSON.parse(linesOf(folder)[0]))).toEqual([
      "fingerprint",
      "task",
      "id",
      "sample",
      "shot_id",
      "prompt_sha256",
      "prompt",
      "n_prompt_tokens",
      "generated_ids",
      "text",
      "finish",
      "answer",
      "gold",
      "correct",
    ]);
    await arc({ folder: folderOf("bare"), limit: 2, keepPrompts: false });
    expect(JSON.parse(linesOf(folderOf("bare"))[0])).not.toHaveProperty("prompt");
  });

  it("goes on with a larger limit and with other shards, and makes nothing twice", async () => {
    const whole = folderOf("whole");
    const result = await arc({ folder: whole });
    expect(result.summary.items).toEqual({ done: 24, total: 394 });
    expect(String(result)).toMatch(/^arc-easy demo, generate: partial 24\/394: /);
    const grown = folderOf("grown");
    await arc({ folder: grown, limit: 10 });
    for (const shard of ["0/3", "1/3", "2/3"]) await arc({ folder: grown, shard });
    expect(linesOf(grown).sort()).toEqual(linesOf(whole).sort());
    const before = sampleBytes(grown);
    let asked = 0;
    await arc({ folder: grown, onProgress: () => asked++ });
    expect([asked, sampleBytes(grown)]).toEqual([0, before]);
  });

  it("interrupted gives a part, and goes on where it was", async () => {
    const stop = new AbortController();
    const folder = folderOf("interrupted");
    const seen: number[] = [];
    const part = await arc({
      folder,
      signal: stop.signal,
      onProgress: ({ done, total, judged }) => {
        seen.push(done);
        expect([total, judged]).toEqual([24, done]);
        if (done === 8) stop.abort();
      },
    });
    expect(seen).toEqual([4, 8]);
    expect(part.summary.items.done).toBe(8);
    expect(part.isComplete).toBe(false);
    const rest: number[] = [];
    await arc({ folder, onProgress: ({ done }) => rest.push(done) });
    expect(rest).toEqual([12, 16, 20, 24]);
    await arc({ folder: folderOf("through") });
    expect(sampleBytes(folder)).toBe(sampleBytes(folderOf("through")));
  });

  it("writes each answer as it ends, while others of its batch still run; what is cut off is made again, in the same order", async () => {
    const options = { task: "triviaqa", limit: 12, batchSize: 6 } as const;
    const through = folderOf("one by one");
    await arc({ ...options, folder: through });
    const folder = folderOf("cut");
    const stop = new AbortController();
    const half = await loadModel();
    const batch = half.generateBatch.bind(half);
    const running = new Set<number>();
    half.generateBatch = (prompts, given) => {
      for (const row of prompts.keys()) running.add(row);
      return batch(prompts, {
        ...given,
        onFinished: (row, generation) => {
          given?.onFinished?.(row, generation);
          running.delete(row);
          // Before the model is run again: the line is in the file.
          const kept = linesOf(folder).length;
          if (!stop.signal.aborted) expect(kept).toBe(prompts.length - running.size);
          if (kept > 0) stop.abort();
        },
      });
    };
    const part = await arc({ ...options, model: half, folder, signal: stop.signal });
    // The others of the batch were interrupted.
    expect(part.samples.length).toBeGreaterThan(0);
    expect(part.samples.length).toBeLessThan(6);
    expect(sampleBytes(through).startsWith(sampleBytes(folder))).toBe(true);
    await arc({ ...options, folder });
    expect(sampleBytes(folder)).toBe(sampleBytes(through));
  });

  it("asks in the order of the hashes of the ids, so that a part is a fair sample", async () => {
    const { createHash } = await import("node:crypto");
    const sha256 = (id: string) => createHash("sha256").update(id).digest("hex");
    const folder = folderOf("fair");
    await arc({ folder, batchSize: 1 });
    const ids = linesOf(folder).map((line) => JSON.parse(line).id as string);
    const { items } = await readItems(findTask("arc-easy"), "demo");
    expect(ids).toEqual(
      items
        .map(({ id }) => id)
        .sort((a, b) => (sha256(a) < sha256(b) ? -1 : 1))
        .slice(0, 24),
    );
  });

  it("says of a batch that was cut off that the answers which ended first are in the sample, and only of one", async () => {
    const folder = folderOf("a batch in part");
    const limited = await arc({ folder });
    expect(limited.summary.notes[0]).toBe("24 of 394 items are a fair sample, by the hashes of their ids");
    const lines = linesOf(folder);
    writeFileSync(
      join(folder, "samples.jsonl"),
      lines
        .filter((_, at) => at !== 20)
        .map((line) => `${line}\n`)
        .join(""),
    );
    expect((await loadRun(folder)).summary.notes[0]).toBe(
      "23 of 394 items are a fair sample, by the hashes of their ids; of a batch that was cut off, the answers that ended first",
    );
  });

  it("drops a line that was cut off, and makes its sample again", async () => {
    const folder = folderOf("torn");
    await arc({ folder });
    const whole = sampleBytes(folder);
    const bytes = Buffer.from(whole);
    writeFileSync(join(folder, "samples.jsonl"), bytes.subarray(0, bytes.length - 100));
    appendFileSync(join(folder, "timing.jsonl"), '{"samples": 4, "m');
    const result = await arc({ folder });
    expect(sampleBytes(folder)).toBe(whole);
    expect(result.summary.items.done).toBe(24);
  });

  it("refuses a folder whose run was made in another way, and says what differs", async () => {
    const folder = folderOf("other");
    await arc({ folder });
    const before = sampleBytes(folder);
    expect(await failureOf(arc({ folder, shotSeed: 1, batchSize: 8 }), directory)).toMatchInlineSnapshot(
      `"RUN_MISMATCH: the run in <directory>/other was made in another way and is not gone on with: settings.shot_seed was 0 and is 1 now; settings.batch_size was 4 and is 8 now. Use the same settings, or another folder"`,
    );
    const quantized = await loadModel(undefined, { dtype: "int8" });
    expect(await failureOf(arc({ folder, model: quantized }))).toMatch(
      /^RUN_MISMATCH: .*model\.dtype was "bfloat16" and is "int8" now; model\.logits_sha256 was/,
    );
    expect(sampleBytes(folder)).toBe(before);
    expect(existsSync(join(folder, "lock"))).toBe(false);
  });

  it("is alone in its folder", async () => {
    const folder = folderOf("alone");
    const ends = await Promise.all(
      [1, 2].map(() =>
        arc({ folder }).then(
          (result) => String(result.n),
          (error: Error) => failureOf(Promise.reject(error), directory),
        ),
      ),
    );
    expect(ends).toContain("24");
    const [failure] = ends.filter((end) => end !== "24");
    expect(failure).toMatch(
      /^RUN_LOCKED: process \d+ on \S+ is working in the run folder <directory>\/alone: wait/,
    );
  });

  it("refuses a folder that holds something else, and lines that are not its own", async () => {
    const folder = folderOf("used");
    mkdirSync(folder);
    writeFileSync(join(folder, "thesis.txt"), "x");
    expect(await failureOf(arc({ folder }), directory)).toMatch(
      /^RUN_FOLDER_INVALID: <directory>\/used holds "thesis.txt" and no manifest.json/,
    );
    const strange = folderOf("strange");
    await arc({ folder: strange, limit: 2 });
    appendFileSync(join(strange, "samples.jsonl"), "{oops}\n");
    expect(await failureOf(arc({ folder: strange }), directory)).toMatch(
      /^RUN_CORRUPT: <directory>\/strange\/samples.jsonl:3: expected a JSON object, found "\{oops\}"/,
    );
    const foreign = folderOf("foreign");
    await arc({ folder: foreign, limit: 2 });
    appendFileSync(
      join(foreign, "samples.jsonl"),
      `${linesOf(folderOf("a"))[3]}\n`.replace(/"[0-9a-f]{64}"/, '"00"'),
    );
    expect(await failureOf(arc({ folder: foreign }))).toMatch(
      /^RUN_MISMATCH: .*samples.jsonl:3: .* belongs to another run/,
    );
    const twice = folderOf("twice");
    await arc({ folder: twice, limit: 2 });
    appendFileSync(join(twice, "samples.jsonl"), `${linesOf(twice)[0]}\n`);
    expect(await failureOf(arc({ folder: twice }))).toMatch(
      /^RUN_CORRUPT: .*samples.jsonl:3: .* is there twice/,
    );
  });
});

describe("files of a run that were changed", () => {
  it.each([
    ["manifest.json", "", /manifest\.json: expected the manifest of a run \(format 1\), found ""/],
    ["manifest.json", "{}", /manifest\.json: expected the manifest of a run/],
    ["manifest.json", "null", /manifest\.json: expected the manifest of a run/],
    ["manifest.json", '{"format": 2}', /manifest\.json: expected the manifest of a run/],
    ["samples.jsonl", '{"id": "a"}\n', /samples\.jsonl:1: expected a sample with its id, its number/],
    ["samples.jsonl", '{"id":"a","sample":0,"generated_ids":[]}\n', /samples\.jsonl:1: expected a sample/],
    ["origin.json", "{}", /origin\.json cannot be read: expected the names/],
    ["origin.json", "", /origin\.json cannot be read/],
  ])("%s that reads %j is said, by all that read it", async (name, text, message) => {
    const folder = folderOf(`changed ${name} ${text.length}`);
    await arc({ folder, limit: 1 });
    writeFileSync(join(folder, name), text);
    const whole = new RegExp(`^RUN_CORRUPT: .*${message.source}`);
    expect(await failureOf(scoreRun(folder))).toMatch(whole);
    expect(await failureOf(loadRun(folder))).toMatch(whole);
    if (name !== "origin.json") expect(await failureOf(arc({ folder, limit: 1 }))).toMatch(whole);
  });
});

describe("a model that was changed", () => {
  class OwnMlp extends nn.Module {
    constructor(readonly base: LanguageModel["layers"][number]["mlp"]) {
      super();
    }

    protected override forward(x: Parameters<LanguageModel["layers"][number]["mlp"]["call"]>[0]) {
      return this.base.call(x);
    }
  }

  it("is evaluated as it is, and the manifest says so", async () => {
    const plain = await arc({ limit: 6 });
    expect(plain.manifest.model.changed).toEqual({ modules: [], interventions: [] });
    {
      using _off = model.edit("layers.*.mlp.out", edits.zero());
      const ablated = await arc({ limit: 6 });
      expect(ablated.manifest.model.changed.interventions).toContain(
        "edit layers.3.mlp.out (prefill, decode): set 0",
      );
      expect(ablated.manifest.model.logits_sha256).not.toBe(plain.manifest.model.logits_sha256);
      expect(ablated.fingerprint).not.toBe(plain.fingerprint);
      expect(ablated.samples.map(({ text }) => text)).not.toEqual(plain.samples.map(({ text }) => text));
      expect(String(ablated)).toMatch(
        /WARNING: the model was changed: edit layers\.0\.mlp\.out \(prefill, decode\): set 0, .* and 2 more/,
      );
    }
    const original = model.layers[1].mlp;
    model.layers[1].mlp = new OwnMlp(original);
    const swapped = await arc({ limit: 6 });
    expect(swapped.manifest.model.changed.modules).toEqual([
      expect.stringMatching(/^layers\.1\.mlp: OwnMlp [0-9a-f]{12}$/),
    ]);
    // It computes the same, and the logits say that too.
    expect(swapped.manifest.model.logits_sha256).toBe(plain.manifest.model.logits_sha256);
    model.layers[1].mlp = original;
    expect((await arc({ limit: 6 })).fingerprint).toBe(plain.fingerprint);
  });

  it("is none that is only split over ranks, whose number the manifest has", async () => {
    const split = await loadModel(undefined, { tensorParallel: 2 });
    const [plain, halves] = [await arc({ limit: 6 }), await arc({ model: split, limit: 6 })];
    expect(halves.manifest.model.changed).toEqual({ modules: [], interventions: [] });
    expect(String(halves)).not.toContain("WARNING");
    expect([plain, halves].map(({ manifest }) => manifest.engine.ranks)).toEqual([undefined, 2]);
    expect(halves.samples.map(({ text }) => text)).toEqual(plain.samples.map(({ text }) => text));
    using _off = split.edit("layers.0.mlp.out", edits.zero());
    const { changed } = (await arc({ model: split, limit: 6 })).manifest.model;
    expect(changed.interventions).toEqual(["edit layers.0.mlp.out (prefill, decode): set 0"]);
  });

  it("an edit of one phase, or of another strength, is another model", async () => {
    const hashes = new Set<string>();
    for (const scale of [0, 1, 2]) {
      for (const phase of ["prefill", "decode"] as const) {
        const direction = new Float32Array(model.config.hiddenSize).fill(0.1);
        using _edit = model.edit("layers.2.out", edits.add(direction, { scale }), { phase });
        hashes.add((await arc({ limit: 1 })).manifest.model.logits_sha256);
      }
    }
    expect(hashes.size).toBe(5);
  });
});

describe("a task of one's own", () => {
  const task = defineTask({
    name: "homes",
    items: [
      { prompt: "Question: Where does an owl live?\nAnswer:", answer: "tree" },
      { prompt: "Question: Where does a bee live?\nAnswer:", answer: "hive" },
    ],
    extract: (text) => /\b(tree|hive|house)\b/.exec(text)?.[1] ?? null,
  });

  it("brings its items along", async () => {
    const result = await runEval({ model, task, ...quiet });
    expect(result).toMatchObject({ n: 2, split: "items", isComplete: true });
    expect(String(result)).toMatch(/^homes items, generate: /);
  });

  it("several samples have seeds of their own: the same again, whatever the batch, and after an interrupt", async () => {
    const options = { model, task, samples: 5, temperature: 1, ...quiet };
    const texts = async (batchSize: number, folder?: string) => {
      const result = await runEval({ ...options, batchSize, ...(folder && { folder }) });
      expect(result.summary.pass_at_k.map(({ k }) => k)).toEqual([1]);
      expect(result.summary.wilson).toBeNull();
      return result.samples.map(({ id, sample, text }) => `${id} ${sample} ${text}`).sort();
    };
    const five = await texts(5);
    expect(new Set(five.map((line) => line.slice(4))).size).toBeGreaterThan(3);
    expect(await texts(2)).toEqual(five);
    const folder = folderOf("drawn");
    const stop = new AbortController();
    await runEval({ ...options, batchSize: 3, folder, signal: stop.signal, onProgress: () => stop.abort() });
    expect(linesOf(folder)).toHaveLength(3);
    expect(await texts(3, folder)).toEqual(five);
  });
});

describe("options", () => {
  it.each([
    [{ task: "arc" }, /^TASK_UNKNOWN/],
    [{ task: undefined }, /^EVAL_OPTIONS_INVALID: .*task must be/],
    [{ model: loadModel() }, /^EVAL_OPTIONS_INVALID: .*await it/],
    [{ batch: 3 }, /^OPTION_UNKNOWN: runEval has no option "batch"/],
    [{ topP: 0.5 }, /^EVAL_OPTIONS_INVALID: .*topP has no effect without a temperature/],
    [{ method: "guess" }, /^EVAL_OPTIONS_INVALID: .*"generate" or "likelihood", got "guess"/],
    [{ task: "humaneval", method: "likelihood" }, /^EVAL_OPTIONS_INVALID: .*no likelihood form/],
    [{ limit: 0 }, /^EVAL_OPTIONS_INVALID: .*limit/],
    [{ shard: "2/2" }, /^EVAL_OPTIONS_INVALID: .*shard/],
    [{ samples: 3, temperature: 0 }, /^EVAL_OPTIONS_INVALID: .*all greedy ones are the same/],
    [{ method: "likelihood", samples: 2 }, /^EVAL_OPTIONS_INVALID: .*not drawn/],
    [{ batchSize: 1.5 }, /^EVAL_OPTIONS_INVALID: .*batchSize/],
    [{ shots: 2 }, /^EVAL_OPTIONS_INVALID: .*shots must be 0 or 1/],
    [{ chat: "yes" }, /^EVAL_OPTIONS_INVALID: .*chat must be true or false/],
    [{ signal: 5 }, /^EVAL_OPTIONS_INVALID: .*signal/],
    [{ folder: "" }, /^EVAL_OPTIONS_INVALID: .*folder/],
    [{ preset: "dirty" }, /^PRESET_UNKNOWN/],
    [{ split: "test" }, /^DATA_SPLIT_UNKNOWN/],
  ])("%o", async (options, message) => {
    expect(await failureOf(arc(options as never))).toMatch(message);
  });

  it("a prompt that is too long is said with its item, before anything is asked", async () => {
    const small = await loadModel(undefined, { maxLength: 100 });
    expect(await failureOf(arc({ model: small }))).toMatch(
      /^PROMPT_TOO_LONG: item "demo\/arc\/\d+": the prompt has/,
    );
  });

  it("a file where the folder should be, and one that cannot be written", async () => {
    const file = folderOf("file");
    writeFileSync(file, "");
    expect(await failureOf(arc({ folder: file }), directory)).toMatch(
      /^RUN_WRITE_FAILED: <directory>\/file could not be written: .*EEXIST|ENOTDIR/,
    );
  });

  it("the fingerprint is the SHA-256 of manifest.json", async () => {
    const { createHash } = await import("node:crypto");
    const folder = folderOf("fingerprint");
    const { fingerprint } = await arc({ folder, limit: 1 });
    const bytes = readFileSync(join(folder, "manifest.json"));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(fingerprint);
  });
});
