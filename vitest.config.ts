import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    setupFiles: ["test/support/property_seed.ts"],
    // Processes, not threads: the addon and the kernel tests use signals, chdir and native threads of their own.
    pool: "forks",
    // The smallest supported machine has two cores; more workers there only make each test slower.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
    teardownTimeout: 10_000,
  },
});
