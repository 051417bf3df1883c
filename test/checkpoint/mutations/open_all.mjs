/** Opens and reads every checkpoint of a list; prints the outcome of each and, at the end, what memory that took at most. */
import { readFileSync } from "node:fs";

const [library, list] = process.argv.slice(2);
const { openCheckpoint, readTensor } = await import(library);

const before = process.memoryUsage().rss;
for (const path of readFileSync(list, "utf8").split("\n")) {
  process.stdout.write(`${path}\t`); // first, so that the one that crashes is known
  try {
    const { tensors } = await openCheckpoint(path);
    for (const tensor of tensors.values()) await readTensor(tensor);
    process.stdout.write("opened\n");
  } catch (error) {
    process.stdout.write(`${error.name} ${error.code}\n`);
  }
}
process.stdout.write(`grew\t${process.resourceUsage().maxRSS * 1024 - before}\n`);
