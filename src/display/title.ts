import type { Layout } from "./figure.js";
import { margin, size, template } from "./style.js";
import { figureWidth } from "./text_width.js";

interface Words {
  text?: string;
  font?: { size?: number };
}

interface Title extends Words {
  subtitle?: Words;
  y?: number;
}

const { title: style } = template.layout as { title: { font: { size: number }; subtitle: typeof style } };

/** Pixels between the title and the two sides of the figure. */
const side = 12;
/** Pixels from the top of the figure down to the foot of the title's first line: where plotly would put a single line. */
const foot = 35;
/** Height of a line, in its font size: plotly's. */
const lineHeight = 1.3;
/**
 * A layout whose title and subtitle fit: lines that would leave the figure on the right go on below, and the figure grows by
 * what they need, so that the plot keeps its size. plotly itself cuts them off. They start at the left edge of the figure,
 * since where the plot starts is known only when its labels are drawn. A title that has its own `y` stays as it is.
 */
export function withFittingTitle(layout: Layout): Layout {
  const title = (typeof layout.title === "string" ? { text: layout.title } : layout.title) as
    | Title
    | undefined;
  if (typeof title?.text !== "string" || title.text === "" || title.y !== undefined) return layout;
  const width = numberOr(layout.width, size.width);
  const height = numberOr(layout.height, size.height);
  const main = fitted(title.text, title.font?.size ?? style.font.size, width);
  const subtitle = title.subtitle;
  const below =
    typeof subtitle?.text === "string"
      ? fitted(subtitle.text, subtitle.font?.size ?? style.subtitle.font.size, width)
      : undefined;
  const more = Math.ceil(main.more + (below?.more ?? 0));
  const { t = margin.t, ...sides } = (layout.margin ?? {}) as { t?: number };
  return {
    ...layout,
    height: height + more,
    margin: { ...sides, t: t + more },
    title: {
      xref: "container",
      x: side / width,
      ...title,
      text: main.text,
      ...(below !== undefined && { subtitle: { ...subtitle, text: below.text } }),
      yref: "container",
      y: 1 - foot / (height + more),
      yanchor: "bottom",
    },
  };
}

/** The text in lines that fit, and the pixels that those after the first need. */
function fitted(text: string, fontSize: number, width: number): { text: string; more: number } {
  const lines = text.split(/<br\s*\/?>/i).flatMap((line) => wrapped(line, (width - 2 * side) / fontSize));
  return { text: lines.join("<br>"), more: (lines.length - 1) * lineHeight * fontSize };
}

/** A line in pieces that are at most `most` times as wide as the font size, broken at spaces; a word that is longer stays whole. */
function wrapped(line: string, most: number): string[] {
  const lines: string[] = [];
  // Not at spaces inside of a tag such as <span style="…">.
  for (const word of line.split(/ (?![^<>]*>)/)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && shownWidth(longer) <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Tags take no room, and an entity such as &amp;lt; that of a character. */
function shownWidth(text: string): number {
  return figureWidth(text.replace(/<[^<>]*>/g, "").replace(/&#?\w+;/g, "x"));
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}
