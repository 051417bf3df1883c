import { attackTable } from "./attack_table.js";
import { bubblewrapOrSkip } from "./bubblewrap_or_skip.js";

bubblewrapOrSkip(`attacks on the sandbox, as user ${process.getuid?.()}`, attackTable);
