/**
 * What ptxas says of a kernel on one architecture: registers of a thread, static shared memory of a block, and bytes of a
 * thread that went to local memory, which is as slow as any: its stack frame, and what is stored and loaded there because
 * registers ran out.
 * @typedef {{ kernel: string, architecture: string, registers: number, shared: number, stack: number, spillStores: number,
 *             spillLoads: number }} Resources
 * @typedef {{ compiler: string, rows: Resources[] }} Table
 */

/** Columns of the table, in order. */
const numbers = /** @type {const} */ (["registers", "shared", "stack", "spillStores", "spillLoads"]);

/**
 * A kernel's name without its type, namespaces and parameters: `attendKernel<float, false>`.
 * @param {string} signature as c++filt prints it
 * @returns {string}
 */
export function shortName(signature) {
  const plain = signature
    .replace(/^void /, "")
    .replaceAll("(anonymous namespace)::", "")
    .replaceAll("persimmon::cuda::", "");
  let depth = 0;
  for (let i = 0; i < plain.length; i++) {
    if (plain[i] === "<") depth++;
    else if (plain[i] === ">") depth--;
    else if (plain[i] === "(" && depth === 0) return plain.slice(0, i);
  }
  return plain;
}

/**
 * Reads the output of `ptxas -v` for many kernels. One that several files instantiate is there once.
 * @param {string} log with names as c++filt prints them
 * @returns {Resources[]} by kernel and architecture
 * @throws Error where the outputs of two compilers that ran at the same time are mixed up
 */
export function parseResources(log) {
  /** @type {Map<string, Resources>} */
  const rows = new Map();
  /** @type {Resources | undefined} */
  let row;
  for (const line of log.split("\n")) {
    const entry = /Compiling entry function '(.*)' for '(\w+)'/.exec(line);
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    const used = /Used (\d+) registers/.exec(line);
    if (entry !== null) {
      if (row !== undefined) throw mixedUp(line);
      const [, signature, architecture] = entry;
      const none = { registers: 0, shared: 0, stack: 0, spillStores: 0, spillLoads: 0 };
      row = { kernel: shortName(signature), architecture, ...none };
    } else if (frame !== null) {
      if (row === undefined) throw mixedUp(line);
      // Functions that were not inlined come after the kernel that calls them.
      row.stack += Number(frame[1]);
      row.spillStores += Number(frame[2]);
      row.spillLoads += Number(frame[3]);
    } else if (used !== null) {
      if (row === undefined) throw mixedUp(line);
      row.registers = Number(used[1]);
      row.shared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0);
      rows.set(formatRow(row), row);
      row = undefined;
    }
  }
  return [...rows.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** @param {string} line */
function mixedUp(line) {
  return new Error(
    `the output of two compilers is mixed up at "${line.trim()}"; with ninja installed each is printed as a whole`,
  );
}

/** @param {Resources} row */
const keyOf = ({ kernel, architecture }) => `${kernel} ${architecture}`;

/** @param {Resources} row */
function formatRow(row) {
  const cells = numbers.map((name) => String(row[name]).padStart(name.length + 2));
  return `${row.architecture}${cells.join("")}  ${row.kernel}`;
}

/**
 * @param {Table} table
 * @returns {string} the stored file
 */
export function formatTable({ compiler, rows }) {
  return `# What ptxas says of each CUDA kernel: registers of a thread, bytes of static shared memory of a block, and bytes of a
# thread in local memory (stack frame, spill stores and loads), of which there may be none.
# Compared, and written anew by \`npm run check:cuda-build -- --write\`.
# nvcc ${compiler}
#    ${numbers.map((name) => `  ${name}`).join("")}  kernel
${rows.map((row) => `${formatRow(row)}\n`).join("")}`;
}

/**
 * Reads what formatTable wrote.
 * @param {string} text
 * @returns {Table}
 * @throws Error with the first line that is no row
 */
export function parseTable(text) {
  const compiler = /^# nvcc (.+)$/m.exec(text)?.[1] ?? "";
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const rows = lines.map((line) => {
    const cells = /^(sm_\w+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) {2}(.+)$/.exec(line);
    if (cells === null) throw new Error(`"${line}" is no row of the table of CUDA kernels' resources`);
    const [architecture, ...rest] = cells.slice(1);
    const kernel = /** @type {string} */ (rest.pop());
    const [registers, shared, stack, spillStores, spillLoads] = rest.map(Number);
    return { kernel, architecture, registers, shared, stack, spillStores, spillLoads };
  });
  return { compiler, rows };
}

/**
 * What is wrong with the kernels, and what has only changed because another compiler made them.
 * @param {Table} stored
 * @param {Table} found
 * @returns {{ wrong: string[], changed: string[] }} lines to print
 */
export function compareTables(stored, found) {
  const before = new Map(stored.rows.map((row) => [keyOf(row), formatRow(row)]));
  const now = new Map(found.rows.map((row) => [keyOf(row), formatRow(row)]));
  const wrong = found.rows
    .filter(({ stack, spillStores, spillLoads }) => stack + spillStores + spillLoads > 0)
    .map((row) => `local memory:  ${formatRow(row)}`);
  /** @type {string[]} */
  const changed = [];
  for (const [key, line] of before) {
    const other = now.get(key);
    if (other === undefined) wrong.push(`gone:          ${line}`);
    else if (other !== line) changed.push(`stored:        ${line}`, `now:           ${other}`);
  }
  for (const [key, line] of now) if (!before.has(key)) wrong.push(`not stored:    ${line}`);
  return stored.compiler === found.compiler
    ? { wrong: [...wrong, ...changed], changed: [] }
    : { wrong, changed };
}
