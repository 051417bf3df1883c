"""What /proc says of a process and its descendants, and how a whole tree of them is ended."""

import os
import select
import signal
import time
from contextlib import ExitStack
from pathlib import Path


def children_by_parent():
    """The process ids of the machine, grouped by their parents'."""
    children = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        # The name in brackets may hold blanks and brackets itself; state and parent follow the last one.
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
    return children


def descendants(pid):
    """All processes below `pid`."""
    children = children_by_parent()
    found = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.extend(below)
        waiting.extend(below)
    return found


def resident_mebibytes(pid):
    """The resident set of one process; 0 for one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def tree_resident_mebibytes(pid):
    """(the process alone, the process with all its descendants); pages that they share count for each."""
    own = resident_mebibytes(pid)
    return own, own + sum(resident_mebibytes(child) for child in descendants(pid))


def tree_proportional_mebibytes(pid):
    """As above, with every page divided among the processes that share it; None where Linux does not say."""
    total = 0
    for one in [pid, *descendants(pid)]:
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            return None
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


class Ends:
    """Watches processes from before they end; a pidfd stays with its process when its number is reused."""

    def __init__(self, pids):
        self._files = ExitStack()
        self._running = {}
        for pid in pids:
            try:
                file = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            self._files.callback(os.close, file)
            self._running[file] = pid

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._files.close()

    def wait(self, seconds):
        """Process id → time of its end, for those that end within that time."""
        ended = {}
        deadline = time.perf_counter() + seconds
        poll = select.poll()
        for file in self._running:
            poll.register(file, select.POLLIN)
        while self._running and (left := deadline - time.perf_counter()) > 0:
            for file, _event in poll.poll(int(left * 1000) + 1):
                poll.unregister(file)
                ended[self._running.pop(file)] = time.perf_counter()
        return ended


def kill_quietly(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
