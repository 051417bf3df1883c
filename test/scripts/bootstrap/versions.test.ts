import { describe, expect, it } from "vitest";
import { isCacheOfAnotherFolder, isCmakeSupported } from "../../../scripts/bootstrap/cmake.mjs";
import { isJupyterLabSupported, jupyterEnvironment } from "../../../scripts/bootstrap/jupyter.mjs";
import { missingToolMessage } from "../../../scripts/bootstrap/missing-tool.mjs";
import { isNodeSupported, unsupportedNodeMessage } from "../../../scripts/bootstrap/node-version.mjs";
import { isPythonSupported } from "../../../scripts/bootstrap/python.mjs";
import { excerpt } from "../../../scripts/bootstrap/run.mjs";

describe("versions", () => {
  it.each([
    ["v20.19.0", true],
    ["v20.18.3", false],
    ["v18.20.8", false],
    ["v22.0.0", true],
    ["v100.1.0", true],
    ["20.20.2", true],
  ])("Node %s: %s", (version, supported) => expect(isNodeSupported(version)).toBe(supported));

  it.each([
    ["cmake version 3.25.1\n\nCMake suite maintained by Kitware", true],
    ["cmake version 3.14.7", false],
    ["cmake version 4.0.0", true],
    [undefined, false],
  ])("CMake %j: %s", (version, supported) => expect(isCmakeSupported(version)).toBe(supported));

  it.each([
    ["Python 3.9.2\n", true],
    ["Python 3.8.20", false],
    ["Python 2.7.18", false],
    [undefined, false],
  ])("Python %j: %s", (version, supported) => expect(isPythonSupported(version)).toBe(supported));

  it.each([
    ["4.4.1\n", true],
    ["4.1.0", false],
    ["3.6.8", false],
    ["5.0.0", false],
    [undefined, false],
  ])("JupyterLab %j: %s", (version, supported) => expect(isJupyterLabSupported(version)).toBe(supported));
});

describe("messages", () => {
  it("an old Node names the version that is needed, the one found and how to get it", () => {
    expect(unsupportedNodeMessage("v18.20.8")).toContain(
      "Node 20.19 or newer is needed, and this is 18.20.8",
    );
    expect(unsupportedNodeMessage("v18.20.8")).toContain("brew install node");
  });

  it("a missing tool comes with one command for each package manager", () => {
    expect(missingToolMessage("cmake", "to build the native addon")).toMatchInlineSnapshot(`
      "Needed to build the native addon, and not found: CMake 3.15 or newer. Install it with one of:
        Debian, Ubuntu:  sudo apt-get install cmake
        Fedora, RHEL:    sudo dnf install cmake
        macOS:           brew install cmake
      and run the same command again."
    `);
    expect(missingToolMessage("compiler", "to build the native addon")).toContain("xcode-select --install");
  });
});

describe("excerpt", () => {
  it("keeps the beginning and the end of a long output", () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
    const shown = excerpt(`${lines.join("\n")}\n`).split("\n");
    expect(shown).toHaveLength(46);
    expect(shown.slice(14, 17)).toEqual(["line 14", "… 55 lines …", "line 70"]);
    expect(shown.at(-1)).toBe("line 99");
  });

  it("shows a short output whole", () => expect(excerpt("a\nb\n")).toBe("a\nb"));
});

describe("CMake cache", () => {
  const cache = "# comment\nCMAKE_HOME_DIRECTORY:INTERNAL=/home/a/lab\nOTHER:STRING=/home/b\n";

  it("is told apart from one of a folder that the repository was copied from", () => {
    expect(isCacheOfAnotherFolder(cache, "/home/a/lab")).toBe(false);
    expect(isCacheOfAnotherFolder(cache, "/home/b")).toBe(true);
    expect(isCacheOfAnotherFolder("", "/home/b")).toBe(false);
  });
});

describe("jupyterEnvironment", () => {
  it("puts our kernel before any other and keeps what was there", () => {
    expect(jupyterEnvironment("/p", {})).toEqual({ JUPYTER_PATH: "/p/share/jupyter" });
    expect(jupyterEnvironment("/p", { JUPYTER_PATH: "/q" })).toEqual({
      JUPYTER_PATH: "/p/share/jupyter:/q",
    });
  });
});
