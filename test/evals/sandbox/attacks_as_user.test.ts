import { describe } from "vitest";
import { attackTable } from "./attack_table.js";
import { bubblewrapOrSkip } from "./bubblewrap_or_skip.js";

// Root is another case than everyone else: this file's process, which no other test shares, gives it up for good.
const title = "attacks on the sandbox, as an ordinary user";
if (process.getuid?.() === 0) {
  process.setgroups!([]);
  process.setgid!(1000);
  process.setuid!(1000);
  bubblewrapOrSkip(title, attackTable);
} else {
  describe.skip(`${title}: attacks.test.ts has run as one`, () => {});
}
