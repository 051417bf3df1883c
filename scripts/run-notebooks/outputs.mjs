/**
 * Collects what a kernel sends while cells run into outputs of the notebook format (4.5), in the way JupyterLab does.
 */

/**
 * An IOPub message: only what is read here.
 * @typedef {{ header: { msg_type: string }, content: any }} IOPubMessage
 * @typedef {{ output_type: string, [key: string]: any }} Output
 */

/**
 * Text as a terminal line would show it: what follows a carriage return overwrites the line from its start, so that a
 * progress line which redraws itself is saved once.
 * @param {string} text
 * @returns {string}
 */
export function applyCarriageReturns(text) {
  if (!text.includes("\r")) {
    return text;
  }
  return text
    .replaceAll("\r\n", "\n")
    .split("\n")
    .map((line) => line.split("\r").reduce((shown, part) => part + shown.slice(part.length)))
    .join("\n");
}

/** Outputs of a notebook that were shown under a display id, in whatever cell: an update reaches all of them. */
export class DisplayIds {
  /** @type {Map<string, Output[]>} */
  #outputs = new Map();

  /**
   * @param {string | undefined} id
   * @param {Output} output
   */
  remember(id, output) {
    if (id !== undefined) {
      this.#outputs.set(id, [...(this.#outputs.get(id) ?? []), output]);
    }
  }

  /** @param {{ data: any, metadata: any, transient?: { display_id?: string } }} content */
  update({ data, metadata, transient }) {
    for (const output of this.#outputs.get(transient?.display_id ?? "") ?? []) {
      output.data = data;
      output.metadata = metadata;
    }
  }
}

/** Collects the outputs of one cell; `outputs` grows while messages are added. */
export class CellOutputs {
  /** @type {Output[]} */
  outputs = [];
  #displayIds;
  #clearBeforeNext = false;
  /** Text of the last stream as it came, with the carriage returns that a later part may still need. */
  #rawStream = "";

  /** @param {DisplayIds} displayIds those of the whole notebook */
  constructor(displayIds) {
    this.#displayIds = displayIds;
  }

  /**
   * Takes one IOPub message that belongs to this cell.
   * @param {IOPubMessage} message
   */
  add(message) {
    const { content } = message;
    switch (message.header.msg_type) {
      case "stream":
        this.#addStream(content.name, content.text);
        break;
      case "display_data":
        this.#addDisplay(
          { output_type: "display_data", data: content.data, metadata: content.metadata },
          content,
        );
        break;
      case "execute_result":
        this.#addDisplay(
          {
            output_type: "execute_result",
            execution_count: content.execution_count,
            data: content.data,
            metadata: content.metadata,
          },
          content,
        );
        break;
      case "update_display_data":
        this.#displayIds.update(content);
        break;
      case "error":
        this.#push({
          output_type: "error",
          ename: content.ename,
          evalue: content.evalue,
          traceback: content.traceback,
        });
        break;
      case "clear_output":
        if (content.wait) {
          this.#clearBeforeNext = true;
        } else {
          this.#clear();
        }
        break;
    }
  }

  #clear() {
    this.outputs.length = 0;
    this.#clearBeforeNext = false;
  }

  /** @param {Output} output */
  #push(output) {
    if (this.#clearBeforeNext) {
      this.#clear();
    }
    this.outputs.push(output);
  }

  /**
   * @param {string} name stdout or stderr
   * @param {string} text
   */
  #addStream(name, text) {
    const last = this.#clearBeforeNext ? undefined : this.outputs.at(-1);
    if (last?.output_type === "stream" && last.name === name) {
      this.#rawStream += text;
      last.text = applyCarriageReturns(this.#rawStream);
    } else {
      this.#rawStream = text;
      this.#push({ output_type: "stream", name, text: applyCarriageReturns(text) });
    }
  }

  /**
   * @param {Output} output
   * @param {any} content
   */
  #addDisplay(output, content) {
    // Showing an id again also changes what was shown under it before, as in JupyterLab.
    this.#displayIds.update(content);
    this.#displayIds.remember(content.transient?.display_id, output);
    this.#push(output);
  }
}
