import fc from "fast-check";

// Random seeds at a developer's desk, where a new counterexample is welcome; one seed on CI, where a run must be
// repeatable. A failure prints its seed: `PROPERTY_SEED=… npm test` runs it again.
const named = process.env.PROPERTY_SEED ?? (process.env.CI ? "20231123" : undefined);
if (named !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(named) });
