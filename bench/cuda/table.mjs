/** Prints rows of the same fields as a table in Markdown, with numbers to three or four digits. */
export function printTable(rows) {
  if (rows.length === 0) return;
  const fields = Object.keys(rows[0]);
  const cell = (value) =>
    typeof value === "number" && !Number.isInteger(value)
      ? value.toFixed(Math.abs(value) < 10 ? 3 : 1)
      : `${value}`;
  console.log(`\n| ${fields.join(" | ")} |\n|${" --- |".repeat(fields.length)}`);
  for (const row of rows) console.log(`| ${fields.map((field) => cell(row[field])).join(" | ")} |`);
}
