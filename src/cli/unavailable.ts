import { Command } from "commander";
import { PersimmonError } from "../errors.js";

/** A command that a later version brings: it says so in the help, and ends with exit code 2 whatever it is given. */
export function unavailableCommand(name: string, purpose: string): Command {
  return new Command(name)
    .description(`${purpose} (not in this version)`)
    .argument("[args...]")
    .allowUnknownOption()
    .action(() => {
      throw new PersimmonError("NOT_AVAILABLE", `\`persimmon ${name}\` is not in this version.`);
    });
}
