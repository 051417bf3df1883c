import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installationPlaces, installKernel, uninstallKernel } from "../../kernel/install.js";
import { compiledKernel } from "./support/kernel.js";

let prefix: string;
beforeEach(() => {
  prefix = mkdtempSync(join(tmpdir(), "persimmon-install-test-"));
});
afterEach(() => rmSync(prefix, { recursive: true, force: true }));

describe("installKernel", () => {
  it("writes a kernelspec with absolute paths and the renderer with its plotly", async () => {
    compiledKernel();
    const { kernelspecDir, labextensionDir } = await installKernel({ prefix });
    expect(kernelspecDir).toBe(join(prefix, "share", "jupyter", "kernels", "persimmon"));
    const spec = JSON.parse(readFileSync(join(kernelspecDir, "kernel.json"), "utf8"));
    expect(spec).toMatchObject({
      display_name: "TypeScript (Persimmon)",
      language: "typescript",
      interrupt_mode: "message",
    });
    expect(spec.argv.at(-1)).toBe("{connection_file}");
    expect(isAbsolute(spec.argv[0]) && isAbsolute(spec.argv[2]) && existsSync(spec.argv[2])).toBe(true);
    expect(existsSync(join(kernelspecDir, "logo-64x64.png"))).toBe(true);
    const extension = JSON.parse(readFileSync(join(labextensionDir, "package.json"), "utf8"));
    expect(dirname(labextensionDir)).toBe(join(prefix, "share", "jupyter", "labextensions"));
    expect(existsSync(join(labextensionDir, extension.jupyterlab._build.load))).toBe(true);
    expect(readFileSync(join(labextensionDir, "static", "plotly.min.js"), "utf8").length).toBeGreaterThan(
      1e6,
    );
  });

  it("uninstalls what it installed, and nothing where nothing is", async () => {
    const { kernelspecDir, labextensionDir } = await installKernel({ prefix });
    expect((await uninstallKernel({ prefix })).removed).toEqual([kernelspecDir, labextensionDir]);
    expect(existsSync(kernelspecDir) || existsSync(labextensionDir)).toBe(false);
    expect((await uninstallKernel({ prefix })).removed).toEqual([]);
  });

  it("says what is wrong with options and folders", async () => {
    expect(() => installationPlaces({ user: true, prefix })).toThrow(/--user or --prefix/);
    const file = join(prefix, "file");
    writeFileSync(file, "");
    await expect(installKernel({ prefix: file })).rejects.toMatchObject({ code: "INSTALL_FAILED" });
  });

  it("has a command line that prints JSON", () => {
    const main = join(dirname(compiledKernel()), "install-main.js");
    const output = execFileSync(process.execPath, [main, "install", "--prefix", prefix, "--json"], {
      encoding: "utf8",
    });
    expect(existsSync(join(JSON.parse(output).kernelspecDir, "kernel.json"))).toBe(true);
    expect(() => execFileSync(process.execPath, [main, "instal"], { stdio: "pipe" })).toThrow(
      /^Command failed: .*\nerror \[BAD_OPTIONS\] Expected install or uninstall/,
    );
    const uninstall = () =>
      execFileSync(process.execPath, [main, "uninstall", "--prefix", prefix], { encoding: "utf8" });
    expect(uninstall()).toMatch(/^Removed the kernel .*\nRemoved the renderer .*\n$/);
    expect(uninstall()).toMatch(/^Did not find the kernel .*\nDid not find the renderer .*\n$/);
  });
});
