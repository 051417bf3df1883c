"""One running kernel and the sockets to it: the same client for all, without sleeps of its own."""

import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

import zmq
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session

from processes import descendants, kill_quietly
from stopping import stopping

# A socket that finds nobody listening tries again after this many milliseconds. The default of 100 would
# add up to 100 ms to every start.
RECONNECT_MILLISECONDS = 3

CHANNELS = ["shell", "iopub", "control"]


class KernelDied(Exception):
    """The process ended while an answer was awaited."""


class Request:
    """One request that was sent, and what came back with the times at which it arrived."""

    def __init__(self, sent):
        self.sent = sent
        self.reply = None
        self.replied = None
        self.busy = None
        self.idle = None
        self.last_text = None
        self.stream_messages = 0
        self.lines = 0
        self.text = []

    @property
    def status(self):
        return (self.reply or {}).get("status")

    @property
    def milliseconds(self):
        """From the request to its reply; None if none came."""
        return None if self.replied is None else (self.replied - self.sent) * 1000


def free_ports(count):
    """Ports below the range that outgoing connections take theirs from (32768 and up on Linux).

    A client that keeps trying to reach a port in that range may be given the same port as its own end, and
    is then connected to itself.
    """
    ports = []
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


class RunningKernel:
    """Starts the process, connects, sends requests and gathers what comes. End it with `end`."""

    def __init__(self, kernel, folder, environment):
        self.kernel = kernel
        self.session = Session(key=os.urandom(16).hex().encode())
        self.connection_file = str(folder / f"connection-{random.getrandbits(48):012x}.json")
        self.log = folder / f"{kernel.name}.log"
        names = ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"]
        _, self.connection = write_connection_file(
            self.connection_file,
            ip="127.0.0.1",
            key=self.session.key,
            kernel_name=kernel.name,
            **dict(zip(names, free_ports(5))),
        )
        self.requests = {}
        self.iopub_seen = False
        self.context = zmq.Context()
        self.poller = zmq.Poller()
        self.process = None
        try:
            argv = [part.replace("{connection_file}", self.connection_file) for part in kernel.argv]
            work = folder / "work"
            work.mkdir(exist_ok=True)
            with open(self.log, "wb") as log, stopping.held():
                self.started = time.perf_counter()
                self.process = subprocess.Popen(
                    argv,
                    cwd=work,
                    env={**environment, **kernel.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                self.process_file = os.pidfd_open(self.process.pid)
            self.poller.register(self.process_file, zmq.POLLIN)
            self.sockets = {channel: self._connect(channel) for channel in CHANNELS}
        except BaseException:
            self.end()
            raise

    def _connect(self, channel):
        made = self.context.socket(zmq.SUB if channel == "iopub" else zmq.DEALER)
        made.linger = 0
        made.set(zmq.RECONNECT_IVL, RECONNECT_MILLISECONDS)
        # Nothing that a kernel sends may be dropped on this side.
        made.set(zmq.RCVHWM, 0)
        if channel == "iopub":
            made.subscribe(b"")
        else:
            made.identity = self.session.bsession
        made.connect(f"tcp://127.0.0.1:{self.connection[f'{channel}_port']}")
        self.poller.register(made, zmq.POLLIN)
        return made

    @property
    def pid(self):
        return self.process.pid

    def send(self, message_type, content, channel="shell"):
        message = self.session.msg(message_type, content)
        request = self.requests[message["header"]["msg_id"]] = Request(time.perf_counter())
        self.session.send(self.sockets[channel], message)
        return request

    def execute(self, code):
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        return self.send("execute_request", content)

    def wait(self, done, seconds):
        """Receives until `done()`; False when the time has passed without it."""
        deadline = time.perf_counter() + seconds
        while not done():
            left = deadline - time.perf_counter()
            if left <= 0:
                return False
            # Rounded up: zero milliseconds would be a busy loop.
            ready = dict(self.poller.poll(int(left * 1000) + 1))
            for channel, made in self.sockets.items():
                if made in ready:
                    self._receive_all(channel, made)
            if self.process_file in ready and not done():
                raise KernelDied(f"the kernel ended by itself: {self.log_tail()}")
        return True

    def _receive_all(self, channel, made):
        while True:
            try:
                frames = made.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            now = time.perf_counter()
            self._take(channel, self.session.deserialize(self.session.feed_identities(frames)[1]), now)

    def _take(self, channel, message, now):
        if channel == "iopub":
            self.iopub_seen = True
        request = self.requests.get(message["parent_header"].get("msg_id"))
        if request is None:
            return
        content = message["content"]
        if channel != "iopub":
            request.reply, request.replied = content, now
        elif message["msg_type"] == "status":
            state = content["execution_state"]
            if state == "busy":
                request.busy = now
            elif state == "idle":
                request.idle = now
        elif message["msg_type"] == "stream" and content["name"] == "stdout":
            request.stream_messages += 1
            request.lines += content["text"].count("\n")
            request.last_text = now
            request.text.append(content["text"])
        elif message["msg_type"] == "execute_result":
            request.text.append(content["data"].get("text/plain", ""))

    def answer(self, request, seconds, idle=True):
        """Waits for the reply and, so that the next request meets a resting kernel, for idle."""
        return self.wait(lambda: request.replied and (request.idle or not idle), seconds)

    def interrupt(self):
        """As the kernelspec wants it: a message on control, or SIGINT to the kernel's process group."""
        if self.kernel.interrupt_mode == "message":
            self.send("interrupt_request", {}, "control")
        else:
            os.killpg(self.pid, signal.SIGINT)

    def log_tail(self):
        return self.log.read_text(errors="replace")[-400:].strip()

    def end(self):
        """Kills what still runs of the kernel and closes everything."""
        with stopping.held():
            if self.process:
                for pid in [self.pid, *descendants(self.pid)]:
                    kill_quietly(pid)
                try:
                    # Children that outlived the kernel; its number is the group's, and not yet free again.
                    os.killpg(self.pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    pass
                self.process.wait()
                os.close(self.process_file)
            self.context.destroy(linger=0)
            Path(self.connection_file).unlink(missing_ok=True)
