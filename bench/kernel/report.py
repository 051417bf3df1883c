"""The environment of a run and its table in Markdown."""

import os
import platform
import statistics
import subprocess
from collections import Counter
from datetime import date
from importlib.metadata import version

from measure import COUNTS, FIGURES


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def environment():
    """What the figures depend on, taken before the first round."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    return {
        "date": date.today().isoformat(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "node": node,
        "python": platform.python_version(),
        "jupyter_client": version("jupyter_client"),
        "pyzmq": version("pyzmq"),
        "load_begin": os.getloadavg(),
    }


def number(value):
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def values_of(rounds, kernel, figure):
    return [taken.values.get(figure) for taken in rounds if taken.kernel.name == kernel.name]


def median_of(rounds, kernel, figure):
    """The median; None if an answer is missing."""
    values = values_of(rounds, kernel, figure)
    return statistics.median(values) if values and None not in values else None


def cell(rounds, kernel, figure):
    values = values_of(rounds, kernel, figure)
    answered = [value for value in values if value is not None]
    missing = len(values) - len(answered)
    text = ""
    if answered:
        text = number(statistics.median(answered))
        if min(answered) != max(answered):
            text += f" ({number(min(answered))}–{number(max(answered))})"
    if missing:
        text += f"{'; ' if text else ''}no answer in {missing} of {len(values)}"
    return text or "–"


def ratio(rounds, ours, other, figure):
    if figure in COUNTS:
        return "–"
    mine, theirs = median_of(rounds, ours, figure), median_of(rounds, other, figure)
    return f"{mine / theirs:.2f}" if mine is not None and theirs else "–"


def table(rounds, kernels):
    ours = next((kernel for kernel in kernels if kernel.name == "persimmon"), None)
    others = [kernel for kernel in kernels if kernel is not ours] if ours else []
    head = ["milliseconds: median (smallest–largest)", *(kernel.title for kernel in kernels)]
    head += [f"ours / {other.name}" for other in others]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for figure, words in FIGURES:
        cells = [cell(rounds, kernel, figure) for kernel in kernels]
        rows.append([words, *cells, *(ratio(rounds, ours, other, figure) for other in others)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def remarks(rounds):
    counted = Counter((taken.kernel.name, remark) for taken in rounds for remark in taken.remarks)
    return "\n".join(f"- {name}: {remark} ({count} times)" for (name, remark), count in counted.items())


def report(rounds, kernels, facts):
    """Everything that is printed at the end."""
    begin, end = ("/".join(f"{load:.2f}" for load in facts[key]) for key in ("load_begin", "load_end"))
    counts = Counter(taken.kernel.name for taken in rounds)
    lines = [
        f"{facts['date']}, {facts['processor']}, {facts['cores']} cores, {facts['system']}; "
        f"Node {facts['node']}, Python {facts['python']}, jupyter_client {facts['jupyter_client']}, "
        f"pyzmq {facts['pyzmq']}; load average {begin} at the begin, {end} at the end; "
        f"{min(counts.values(), default=0)} rounds, interleaved.",
        "",
        table(rounds, kernels),
    ]
    noted = remarks(rounds)
    return "\n".join([*lines, "", noted] if noted else lines)
