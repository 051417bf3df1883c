"""What /proc says of a process and its descendants, and how a whole tree of them is ended."""

import os
import signal
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


def kill_quietly(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
