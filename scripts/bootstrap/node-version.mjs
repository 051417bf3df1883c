/** The oldest Node that can `require` an ES module without a flag, which a TypeScript cell does. */
export const MINIMUM_NODE = [20, 19];

/**
 * Whether a Node version such as `v20.19.1` is new enough.
 * @param {string} version
 * @returns {boolean}
 */
export function isNodeSupported(version) {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number);
  return major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1]);
}

/**
 * What to tell someone whose Node is too old.
 * @param {string} version
 * @returns {string}
 */
export function unsupportedNodeMessage(version) {
  return [
    `Node ${MINIMUM_NODE.join(".")} or newer is needed, and this is ${version.replace(/^v/, "")} (${process.execPath}).`,
    "Install a newer one: https://nodejs.org, or `nvm install 22`, or `brew install node`.",
  ].join("\n");
}
