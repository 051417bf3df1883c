"""The results as a plain table."""


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _share(result: dict | None) -> str:
    if result is None:
        return "-"
    return f"{_percent(result['accuracy'])} ({_percent(result['low'])}-{_percent(result['high'])})"


def _lines(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def table(results: dict) -> str:
    """Percentages with 95 % Wilson intervals; a warning where over 5 % of the answers could not be read."""
    rows = [["task", "n", "generated", "unparsed", "at length", "constant", "likelihood, sum", "per byte"]]
    kinds = [["task, kind", "n", "generated"]]
    notes = []
    for task, result in results.items():
        made, likely = result["generate"], result["likelihood"] or {"sum": None, "per_byte": None}
        counts = [str(made["unparsed"]), str(made["length"]), _percent(result["constant"])]
        rows.append([task, str(made["n"]), _share(made), *counts, _share(likely["sum"]), _share(likely["per_byte"])])
        kinds += [[f"{task}, {kind}", str(k["n"]), _share(k)] for kind, k in result["by_kind"].items()]
        if made["unparsed"] > 0.05 * made["n"]:
            notes.append(f"{task}: {made['unparsed']} of {made['n']} answers could not be read: format, not ability")
        if made.get("syntax"):
            notes.append(f"{task}: {made['syntax']} of {made['n']} programs do not compile")
    parts = [_lines(rows)] + ([_lines(kinds)] if len(kinds) > 1 else []) + (["\n".join(notes)] if notes else [])
    return "\n\n".join(parts)
