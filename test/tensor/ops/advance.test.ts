import { describe } from "vitest";
import { testAdvance } from "../../support/advance_suite.js";
import { device } from "./on_device.js";

describe("from one token to the next", () => testAdvance(() => device));
