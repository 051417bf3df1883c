import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { inVenv } from "../../../scripts/bootstrap/python.mjs";
import { which } from "../../../scripts/bootstrap/run.mjs";
import { JupyterServer } from "../../../scripts/run-notebooks/server.mjs";
import { repositoryRoot } from "../../support/shared.js";

/** Starts Jupyter servers that have our kernel, and nothing else of this machine's Jupyter. */
export type StartServer = (options?: { options?: string[] }) => Promise<JupyterServer>;

/** A `describe` for tests that need Jupyter Server; without it they are skipped, and a line on stderr says so. */
export function jupyterOrSkip(title: string, body: (start: StartServer) => void): void {
  const jupyter = inVenv("jupyter") ?? which("jupyter");
  if (jupyter === undefined) {
    process.stderr.write(
      `SKIPPED: ${title}: jupyter is not installed (\`npm start\` installs it in .venv)\n`,
    );
  }
  describe.skipIf(jupyter === undefined)(title, () => {
    let prefix: string;
    const servers: JupyterServer[] = [];
    beforeAll(() => {
      prefix = mkdtempSync(join(tmpdir(), "persimmon-eval-servers-"));
      const main = join(repositoryRoot, "dist", "kernel", "install-main.js");
      execFileSync(process.execPath, [main, "install", "--prefix", prefix]);
    });
    afterAll(async () => {
      await Promise.all(servers.map((server) => server.stop()));
      rmSync(prefix, { recursive: true, force: true });
    });
    body(async ({ options = [] } = {}) => {
      const server = await JupyterServer.start({ jupyter: jupyter!, prefix, application: "server", options });
      servers.push(server);
      return server;
    });
  });
}
