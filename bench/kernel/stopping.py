"""Ctrl-C and SIGTERM end a run at once, except where a kernel would be left behind."""

import signal
from contextlib import contextmanager


class Stopping:
    """Raises KeyboardInterrupt on a signal; inside `held` only when that part is over."""

    def __init__(self):
        self._depth = 0
        self._asked = False

    def install(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)

    def _asked_to_stop(self, _signal, _frame):
        if self._depth:
            self._asked = True
        else:
            raise KeyboardInterrupt

    @contextmanager
    def held(self):
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._asked and not self._depth:
            self._asked = False
            raise KeyboardInterrupt


stopping = Stopping()
