import type { CheckpointTensor } from "../checkpoint/index.js";

/** A module or a tensor with its children, under the names that the library gives them. */
interface Node {
  children: Map<string, Node>;
  tensor?: CheckpointTensor;
}

/** `query_key_value` → `queryKeyValue`, `dense_4h_to_h` → `dense4hToH`. */
export function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * The modules of a checkpoint as an indented tree, one line each; neighbours with the same content, as all layers of a
 * Persimmon are, share one line (`layers.0 … layers.35`).
 */
export function moduleTree(tensors: Iterable<CheckpointTensor>): string[] {
  const root: Node = { children: new Map() };
  for (const tensor of tensors) {
    let at = root;
    for (const part of tensor.name.replace(/^model\./, "").split(".")) {
      const name = camelCase(part);
      const child = at.children.get(name) ?? { children: new Map() };
      at.children.set(name, child);
      at = child;
    }
    at.tensor = tensor;
  }
  return childLines(root, "");
}

function childLines(node: Node, indent: string): string[] {
  const lines: string[] = [];
  const children = [...node.children].map(([name, child]) => ({
    name,
    child,
    below: nodeLines(child, `${indent}  `),
  }));
  for (let first = 0; first < children.length; ) {
    const { name, child, below } = children[first];
    let last = first;
    while (
      /^\d+$/.test(name) &&
      last + 1 < children.length &&
      children[last + 1].below.join("\n") === below.join("\n")
    ) {
      last++;
    }
    const label = last === first ? name : `${name} … ${children[last].name}  (${last - first + 1} times)`;
    lines.push(`${indent}${label}${describe(child)}`, ...below);
    first = last + 1;
  }
  return lines;
}

/** The tensors of a leaf module stand on its own line. */
function nodeLines(node: Node, indent: string): string[] {
  return isLeafModule(node) ? [] : childLines(node, indent);
}

function isLeafModule({ children }: Node): boolean {
  return children.size > 0 && [...children.values()].every(({ tensor }) => tensor !== undefined);
}

function describe(node: Node): string {
  if (node.tensor !== undefined) return `  ${shapeOf(node.tensor)}`;
  if (!isLeafModule(node)) return "";
  return [...node.children].map(([name, { tensor }]) => `  ${name} ${shapeOf(tensor!)}`).join("");
}

function shapeOf({ shape, dtype }: CheckpointTensor): string {
  return `[${shape.join(", ")}] ${dtype}`;
}
