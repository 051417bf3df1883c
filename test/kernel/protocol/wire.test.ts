import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Wire } from "../../../kernel/protocol/wire.js";

describe("Wire", () => {
  it("signs header, parent, metadata and content with HMAC, as the protocol says", () => {
    const wire = new Wire("secret");
    const frames = wire.encode(wire.create("status", { execution_state: "idle" }));
    const hmac = createHmac("sha256", "secret");
    for (const part of frames.slice(2, 6)) hmac.update(part);
    expect(Buffer.from(frames[0]!).toString()).toBe("<IDS|MSG>");
    expect(Buffer.from(frames[1]!).toString()).toBe(hmac.digest("hex"));
  });

  it("reads back what it writes, with identities and buffers", () => {
    const wire = new Wire("k");
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), fc.uint8Array(), (text, identity, buffer) => {
        fc.pre(Buffer.from(identity).toString() !== "<IDS|MSG>");
        const message = wire.create("x", { text }, { identities: [identity], buffers: [buffer] });
        const read = wire.decode(wire.encode(message));
        expect(read).toEqual({ ...message, identities: [identity], buffers: [buffer] });
      }),
    );
  });

  it("rejects wrong signatures, missing frames and content that is no JSON", () => {
    const wire = new Wire("k");
    const frames = wire.encode(wire.create("x", {}));
    expect(new Wire("other").decode(frames)).toBeUndefined();
    expect(wire.decode(frames.slice(0, 5))).toBeUndefined();
    expect(wire.decode(frames.slice(1))).toBeUndefined();
    const open = new Wire("");
    const broken = open.encode(open.create("x", {})).map((frame, i) => (i === 5 ? Buffer.from("{") : frame));
    expect(open.decode(broken)).toBeUndefined();
  });

  it("neither signs nor verifies without a key", () => {
    const wire = new Wire("");
    const frames = wire.encode(wire.create("x", { a: 1 }));
    expect(frames[1]).toHaveLength(0);
    expect(wire.decode(frames)?.content).toEqual({ a: 1 });
  });
});
