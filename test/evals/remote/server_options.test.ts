import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkServers, parseServer } from "../../../src/evals/remote/server_options.js";
import { codeOf } from "../../support/codes.js";

describe("servers", () => {
  it.each([
    ["http://127.0.0.1:8888", "http://127.0.0.1:8888/", ""],
    ["http://127.0.0.1:8888/lab?token=abc", "http://127.0.0.1:8888/", "abc"],
    ["https://hub.example/user/ada/lab/tree/x.ipynb?token=t", "https://hub.example/user/ada/", "t"],
    ["http://h:1/tree", "http://h:1/", ""],
    ["http://h:1/gateway/", "http://h:1/gateway/", ""],
  ])("%s", (given, url, token) => {
    expect(checkServers([{ url: given }])).toEqual([{ url, token, kernels: 1, kernelName: "persimmon" }]);
  });

  it("a token of its own is preferred to that in the address", () => {
    expect(checkServers([{ url: "http://h/?token=a", token: "b" }])[0].token).toBe("b");
  });

  it.each([
    [[], /expected a list such as/],
    [undefined, /expected a list such as .*, got undefined$/],
    [[7], /servers\[0\] must be an object/],
    [[{ url: "h:8888" }], /servers\[0\]\.url must be an address that begins with http/],
    [[{ url: "http://me:secret@h/" }], /without user and password/],
    [
      [{ url: "http://h/", kernels: 0 }],
      /servers\[0\]\.kernels must be a whole number from 1 to 1024, got 0$/,
    ],
    [
      [{ url: "http://h/", token: "a\nb" }],
      /servers\[0\]\.token must be a text of visible ASCII characters$/,
    ],
    [[{ url: "http://h/", kernelName: "" }], /servers\[0\]\.kernelName must be the name of a kernelspec/],
    [[{ url: "http://h/lab" }, { url: "http://h" }], /http:\/\/h\/ is there twice/],
  ])("%j is no list of servers", (servers, message) => {
    expect(() => checkServers(servers as never)).toThrow(message);
    expect(codeOf(() => checkServers(servers as never))).toBe("EVAL_SERVER_INVALID");
  });

  it("an option that is none", () => {
    expect(codeOf(() => checkServers([{ url: "http://h/", kernel: 1 } as never]))).toBe("OPTION_UNKNOWN");
  });

  it("a secret is in no message", () => {
    for (const servers of [[{ url: "http://me:secret@h/" }], [{ url: "http://h/", token: "secret\n" }]]) {
      expect(() => checkServers(servers)).not.toThrow(/secret/);
    }
    expect(() => parseServer("http://h/?token=secret,token=secret,x=1")).not.toThrow(/secret/);
  });
});

describe("a server on a command line", () => {
  it("has settings behind commas", () => {
    expect(parseServer("http://h:1/,token=a=b,kernels=2,kernel=mine")).toEqual({
      url: "http://h:1/",
      token: "a=b",
      kernels: 2,
      kernelName: "mine",
    });
    expect(parseServer("http://h:1/lab?token=x")).toEqual({ url: "http://h:1/lab?token=x" });
  });

  it.each([
    ["http://h/,kernels", /found "kernels" behind "http:\/\/h\/"$/],
    ["http://h/,kernels=two", /kernels must be a whole number/],
    ["", /must be an address/],
  ])("%j is none", (text, message) => expect(() => parseServer(text)).toThrow(message));

  it("any text is a server or an error with a code", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseServer(`http://h/${text}`);
        } catch (error) {
          expect((error as { code?: string }).code).toBe("EVAL_SERVER_INVALID");
        }
      }),
    );
  });
});
