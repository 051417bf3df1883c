export type { SandboxLimits } from "./limits.js";
export {
  type ProgramResult,
  Sandbox,
  type SandboxKind,
  type SandboxOptions,
  type SandboxRunAllOptions,
  type SandboxRunOptions,
} from "./sandbox.js";
export type { ProgramStatus } from "./verdict.js";
