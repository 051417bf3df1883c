"""One kernel's life in one round, from its start to its end, and the figures taken on the way."""

import statistics
import time

from client import KernelDied, RunningKernel
from processes import Ends, descendants, tree_proportional_mebibytes, tree_resident_mebibytes

START_SECONDS = 60
ANSWER_SECONDS = 30
LINES_SECONDS = 10
INTERRUPT_SECONDS = 5
SHUTDOWN_SECONDS = 5
LINES = 10000
WARM_CELLS = 20
NEW_CELLS = 10
# How long the endless loop runs before it is interrupted.
LOOP_SECONDS = 0.2

# Key, words for the table. Milliseconds unless the words say something else.
FIGURES = [
    ("kernel_info", "process start → first kernel_info_reply"),
    ("first_cell_from_start", "process start → reply of the first cell"),
    ("first_cell", "first cell `1+1`, sent when kernel_info came"),
    ("warm_cell", "warm `1+1`"),
    ("new_cell", "new cell"),
    ("completion_first", "completion, first of the session (`Math.`)"),
    ("completion_other", 'completion, first of another value (`"".`)'),
    ("completion_next", "completion, each letter typed after it"),
    ("inspection_first", "inspection, first of the session"),
    ("inspection_next", "inspection, following"),
    ("lines", "10,000 printed lines: idle and all text received"),
    ("lines_received", "10,000 printed lines: lines received (count)"),
    ("lines_messages", "10,000 printed lines: stream messages (count)"),
    ("interrupt", "interrupt of an endless loop → its reply"),
    ("shutdown", "shutdown_request → process gone"),
    ("shutdown_tree", "shutdown_request → process and descendants gone"),
    ("rss", "RSS after the first cell, kernel process (MiB)"),
    ("rss_tree", "RSS after the first cell, with descendants (MiB)"),
    ("rss_end", "RSS before shutdown, kernel process (MiB)"),
    ("rss_tree_end", "RSS before shutdown, with descendants (MiB)"),
    ("pss_tree_end", "PSS before shutdown, with descendants (MiB)"),
]

# These have no better and worse that a ratio would tell.
COUNTS = ["lines_received", "lines_messages"]


class Round:
    """Values by figure (None: no answer within the limit), all single samples, and remarks."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.values = {}
        self.samples = {}
        self.remarks = []

    def as_json(self):
        return {
            "kernel": self.kernel.name,
            "values": self.values,
            "samples": self.samples,
            "remarks": self.remarks,
        }

    def median(self, figure, samples):
        self.samples[figure] = samples
        answered = [sample for sample in samples if sample is not None]
        self.values[figure] = statistics.median(answered) if len(answered) == len(samples) else None


def start(taken, running):
    """kernel_info and the first cell; then iopub, which the first messages may have come too early for."""
    info = running.send("kernel_info_request", {})
    if not running.answer(info, START_SECONDS, idle=False):
        raise KernelDied("no kernel_info_reply")
    first = running.execute("1+1")
    if not running.answer(first, START_SECONDS, idle=False):
        raise KernelDied("no reply to the first cell")
    taken.values["kernel_info"] = (info.replied - running.started) * 1000
    taken.values["first_cell_from_start"] = (first.replied - running.started) * 1000
    taken.values["first_cell"] = first.milliseconds
    taken.values["rss"], taken.values["rss_tree"] = tree_resident_mebibytes(running.pid)
    while True:
        request = running.send("kernel_info_request", {})
        if running.answer(request, 0.5):
            return info.reply


def expect_text(taken, request, expected):
    if request.status != "ok" or expected not in "".join(request.text):
        got = "".join(request.text)[:80]
        taken.remarks.append(f"a cell answered {request.status} {got!r}, not {expected}")


def cells(taken, running, seed):
    language = taken.kernel.language
    if language.setup:
        running.answer(running.execute(language.setup), ANSWER_SECONDS)
    warm = []
    for _ in range(WARM_CELLS):
        request = running.execute("1+1")
        running.answer(request, ANSWER_SECONDS)
        expect_text(taken, request, "2")
        warm.append(request.milliseconds)
    taken.median("warm_cell", warm)
    new = []
    for index in range(NEW_CELLS):
        number = 1000 + seed * NEW_CELLS + index
        request = running.execute(language.new_cell.format(n=number))
        running.answer(request, ANSWER_SECONDS)
        expect_text(taken, request, str(number + 1))
        new.append(request.milliseconds)
    taken.median("new_cell", new)


def completions(taken, running):
    following = []
    names = ["completion_first", "completion_other"]
    for name, (texts, expected) in zip(names, taken.kernel.language.typed_members):
        for index, text in enumerate(texts):
            request = running.send("complete_request", {"code": text, "cursor_pos": len(text)})
            running.answer(request, ANSWER_SECONDS)
            if not any(expected in match for match in (request.reply or {}).get("matches", [])):
                taken.remarks.append(f"completion of {text} offers no {expected}")
            if index == 0:
                taken.median(name, [request.milliseconds])
            else:
                following.append(request.milliseconds)
    taken.median("completion_next", following)


def inspections(taken, running):
    times = []
    for text in taken.kernel.language.inspected:
        content = {"code": text, "cursor_pos": len(text), "detail_level": 0}
        request = running.send("inspect_request", content)
        running.answer(request, ANSWER_SECONDS)
        if not (request.reply or {}).get("found"):
            taken.remarks.append(f"inspection of {text} finds nothing")
        times.append(request.milliseconds)
    taken.median("inspection_first", times[:1])
    taken.median("inspection_next", times[1:])


def interrupt(taken, running):
    request = running.execute(taken.kernel.language.endless)
    running.wait(lambda: request.busy, ANSWER_SECONDS)
    running.wait(lambda: request.replied, LOOP_SECONDS)
    if request.replied:
        taken.remarks.append(f"the endless loop answered {request.status} by itself")
    begin = time.perf_counter()
    running.interrupt()
    if not running.wait(lambda: request.replied and request.idle, INTERRUPT_SECONDS):
        taken.values["interrupt"] = None
        raise KernelDied(f"no answer {INTERRUPT_SECONDS} s after the interrupt")
    taken.values["interrupt"] = (request.replied - begin) * 1000
    # tslab aborts everything that arrives within 200 ms of a failed cell: wait until one is answered.
    for _ in range(5):
        after = running.execute("1+1")
        if running.answer(after, INTERRUPT_SECONDS) and after.status == "ok":
            return
        running.wait(lambda: False, 0.1)
    taken.remarks.append("no cell runs after an interrupt")


def printed_lines(taken, running):
    request = running.execute(taken.kernel.language.print_lines)

    ended = running.wait(lambda: request.idle and request.lines >= LINES, LINES_SECONDS)
    received = "".join(request.text).splitlines()
    taken.values["lines"] = (max(request.idle, request.last_text) - request.sent) * 1000 if ended else None
    taken.values["lines_received"] = len(received)
    taken.values["lines_messages"] = request.stream_messages
    if ended and received != [f"line {number}" for number in range(LINES)]:
        taken.remarks.append("the lines printed came in another order or changed")


def shutdown(taken, running):
    tree = [running.pid, *descendants(running.pid)]
    with Ends(tree) as ends:
        begin = time.perf_counter()
        running.send("shutdown_request", {"restart": False}, "control")
        ended = ends.wait(SHUTDOWN_SECONDS)
    own = ended.get(running.pid)
    taken.values["shutdown"] = None if own is None else (own - begin) * 1000
    everything = len(ended) == len(tree)
    taken.values["shutdown_tree"] = (max(ended.values()) - begin) * 1000 if everything else None


def warm_up(kernel, folder, environment):
    """Starts the kernel once so that its files are in memory; what its kernel_info says."""
    running = RunningKernel(kernel, folder, environment)
    try:
        return start(Round(kernel), running)
    finally:
        running.end()


def measure(kernel, folder, environment, seed):
    """All figures of one kernel in one round. `seed` makes the new cells' texts differ between rounds."""
    taken = Round(kernel)
    running = RunningKernel(kernel, folder, environment)
    try:
        start(taken, running)
        cells(taken, running, seed)
        completions(taken, running)
        inspections(taken, running)
        interrupt(taken, running)
        printed_lines(taken, running)
        taken.values["rss_end"], taken.values["rss_tree_end"] = tree_resident_mebibytes(running.pid)
        taken.values["pss_tree_end"] = tree_proportional_mebibytes(running.pid)
        shutdown(taken, running)
    except KernelDied as problem:
        taken.remarks.append(str(problem))
    finally:
        running.end()
    return taken
