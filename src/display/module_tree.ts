import { PersimmonError } from "../errors.js";
import { escapeHtml } from "./html.js";
import { jupyterDisplay, type MimeBundle } from "./mime.js";
import { bytes, grouped } from "./numbers.js";
import { type ModuleNode, moduleNode } from "./parameters.js";

/** One line of the tree: a module, or neighbours with the same content. */
interface Branch {
  /** `layers.0-35` for a row of equal ones. */
  label: string;
  times: number;
  node: ModuleNode;
  branches: Branch[];
}

/** The tree of a model's modules, shown with shapes, element types and numbers of parameters. */
export class ModuleTree {
  /** What the tree is made of, every module by itself. */
  readonly root: ModuleNode;
  private readonly heading: string;

  constructor(root: ModuleNode, heading: string) {
    this.root = root;
    this.heading = heading;
  }

  [jupyterDisplay](): MimeBundle {
    const branches = folded(this.root.children);
    const html = branches.map((branch) => branchHtml(branch, 1)).join("");
    const heading = `<b>${escapeHtml(this.heading)}</b> ${faint(totals(this.root))}`;
    return {
      "text/html": `<div><div>${heading}</div>${own(this.root)}${html}</div>`,
      "text/plain": String(this),
    };
  }

  toString(): string {
    const lines = textLines(folded(this.root.children), "  ");
    const width = (column: number) => Math.max(0, ...lines.map((line) => line[column].length));
    const widths = [width(0), width(1), width(2)];
    const rows = lines.map(([label, kind, content, count]) =>
      [label.padEnd(widths[0]), kind.padEnd(widths[1]), content.padEnd(widths[2]), count]
        .join("  ")
        .trimEnd(),
    );
    return [`${this.heading}  ${totals(this.root)}${ownText(this.root)}`, ...rows].join("\n");
  }
}

/**
 * The modules of a model, or of a part of it, as a tree. Equal neighbours, as the layers are, share one line.
 * @param heading what stands on top; default: the name of the class
 * @throws PersimmonError MODULE_INVALID
 */
export function moduleTree(module: object, heading?: string): ModuleTree {
  if (typeof module !== "object" || module === null) {
    throw new PersimmonError("MODULE_INVALID", `moduleTree needs a model or a module, got ${String(module)}`);
  }
  const root = moduleNode(module);
  return new ModuleTree(root, heading ?? root.kind);
}

/** Puts equal elements of a list that follow one another on one branch. */
function folded(nodes: readonly ModuleNode[]): Branch[] {
  const branches: Branch[] = [];
  for (let first = 0; first < nodes.length; ) {
    const node = nodes[first];
    const [, list, index] = /^(.*)\.(\d+)$/.exec(node.name) ?? [];
    let times = 1;
    while (
      list !== undefined &&
      nodes[first + times]?.name === `${list}.${Number(index) + times}` &&
      signature(nodes[first + times]) === signature(node)
    ) {
      times++;
    }
    const label = times === 1 ? node.name : `${list}.${index}-${Number(index) + times - 1}`;
    branches.push({ label, times, node, branches: folded(node.children) });
    first += times;
  }
  return branches;
}

/** Equal for modules with the same classes, names, shapes and element types all the way down. */
function signature(node: ModuleNode): string {
  const { kind, parameters, children } = node;
  return JSON.stringify([kind, parameters, children.map((child) => [child.name, signature(child)])]);
}

function totals({ count, bytes: size, children, parameters }: ModuleNode): string {
  const types = [...new Set([parameters, ...children.map(allParameters)].flat().map(({ dtype }) => dtype))];
  return `${grouped(count)} parameters, ${[...types, bytes(size)].join(", ")}`;
}

function allParameters(node: ModuleNode): ModuleNode["parameters"] {
  return [...node.parameters, ...node.children.flatMap(allParameters)];
}

/** weight [768, 256] bfloat16 · bias [768] bfloat16 */
function content({ parameters }: ModuleNode): string {
  return parameters.map(({ name, shape, dtype }) => `${name} [${shape.join(", ")}] ${dtype}`).join(" · ");
}

function ownText(node: ModuleNode): string {
  return node.parameters.length === 0 ? "" : `\n  ${content(node)}`;
}

function numberOf({ node, times }: Branch): string {
  return times === 1 ? grouped(node.count) : `${times} × ${grouped(node.count)}`;
}

type TextLine = [label: string, kind: string, content: string, count: string];

function textLines(branches: readonly Branch[], indent: string): TextLine[] {
  return branches.flatMap((branch): TextLine[] => [
    [indent + branch.label, branch.node.kind, content(branch.node), numberOf(branch)],
    ...textLines(branch.branches, `${indent}  `),
  ]);
}

// JupyterLab removes style sheets and scripts from saved notebooks that it does not trust, but keeps inline styles.
const row = "padding:1px 0;line-height:1.5";
const faint = (text: string) => `<span style="color:#8A8F98">${escapeHtml(text)}</span>`;

function own(node: ModuleNode): string {
  return node.parameters.length === 0 ? "" : `<div>${faint(content(node))}</div>`;
}

function branchHtml(branch: Branch, depth: number): string {
  const { label, node, branches } = branch;
  const line =
    `<code>${escapeHtml(label)}</code> ${escapeHtml(node.kind)} ` +
    `${faint(content(node))} <b>${escapeHtml(numberOf(branch))}</b>`;
  const indent = "margin-left:20px";
  if (branches.length === 0) return `<div style="${indent};${row};padding-left:16px">${line}</div>`;
  const inside = branches.map((child) => branchHtml(child, depth + 1)).join("");
  // The upper two levels are open at first: the parts of the model and those of a layer.
  const open = depth <= 2 ? " open" : "";
  return `<details${open} style="${indent}"><summary style="${row}">${line}</summary>${inside}</details>`;
}
