import { describe } from "vitest";
import { testTokensInPlan } from "../support/tokens_in_plan_suite.js";

describe("tokens that are chosen inside of the plan", () => testTokensInPlan("cpu"));
