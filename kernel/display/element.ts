const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

/**
 * An element of a document (jsdom, linkedom), such as the charts that Observable Plot and D3 make: an object with
 * `outerHTML`. One that is an SVG as a whole is sent as a picture, which untrusted notebooks show too.
 */
export function elementBundle(value: object): Record<string, unknown> | undefined {
  const { outerHTML } = value as { outerHTML?: unknown };
  if (typeof outerHTML !== "string") return undefined;
  const [tag, name] = /^<([\w:-]+)[^>]*>/.exec(outerHTML) ?? [];
  const text = name === undefined ? outerHTML.slice(0, 80) : `<${name}> element`;
  if (name !== "svg") return { "text/html": outerHTML, "text/plain": text };
  // Outside of HTML, where a browser knows it, an SVG must name its namespace.
  const svg = tag?.includes("xmlns=")
    ? outerHTML
    : outerHTML.replace("<svg", `<svg xmlns="${SVG_NAMESPACE}"`);
  return { "image/svg+xml": svg, "text/plain": text };
}
