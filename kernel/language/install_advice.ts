import { isBuiltin } from "node:module";

/** How to get a package that was not found; undefined for files and for modules of Node. */
export function installAdvice(specifier: string, folder: string): string | undefined {
  if (/^(\.|\/|node:|file:|[a-zA-Z]:)/.test(specifier) || isBuiltin(specifier)) return undefined;
  const [first, second] = specifier.split("/");
  const name = first!.startsWith("@") && second ? `${first}/${second}` : first!;
  if (!/^(@[\w.~-]+\/)?[\w.~-]+$/.test(name)) return undefined;
  return `To install it, run this in ${folder} (the kernel need not be restarted): npm install ${name}`;
}
