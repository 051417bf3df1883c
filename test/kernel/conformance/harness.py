"""A kernel under test, driven by jupyter_client: what every conformance test builds on."""

import os
import queue
import shutil
import tempfile
import time
import unittest

from jupyter_client.manager import KernelManager

KERNEL_NAME = os.environ.get("KERNEL_NAME", "persimmon")
# Generous: the machine may be busy. No test asserts a time unless the demand itself is one (interrupt,
# shutdown).
TIMEOUT = float(os.environ.get("KERNEL_TIMEOUT", "60"))


class Execution:
    """What one execute_request led to: its reply, and everything on iopub from busy to idle."""

    def __init__(self, msg_id, reply, messages):
        self.msg_id = msg_id
        self.reply = reply
        self.content = reply["content"]
        self.messages = messages

    @property
    def status(self):
        return self.content["status"]

    def of_type(self, msg_type):
        return [m for m in self.messages if m["msg_type"] == msg_type]

    def types(self):
        return [m["msg_type"] for m in self.messages if m["msg_type"] != "status"]

    def text(self, name="stdout"):
        return "".join(m["content"]["text"] for m in self.of_type("stream") if m["content"]["name"] == name)

    @property
    def data(self):
        """The MIME bundle of the result, or None."""
        results = self.of_type("execute_result")
        return results[0]["content"]["data"] if results else None

    @property
    def result(self):
        """The result as text, or None."""
        return self.data["text/plain"] if self.data else None


class KernelTestCase(unittest.TestCase):
    """One kernel for all tests of a class, in an empty folder unless `cwd` names another."""

    cwd = None
    extra_env = {}
    own_folder = None

    @classmethod
    def setUpClass(cls):
        cls.own_folder = None if cls.cwd else tempfile.mkdtemp(prefix="kernel-test-")
        cls.manager, cls.client = start_kernel(cls.cwd or cls.own_folder, cls.extra_env)

    @classmethod
    def tearDownClass(cls):
        cls.client.stop_channels()
        if cls.manager.has_kernel:
            cls.manager.shutdown_kernel(now=True)
        cls.manager.cleanup_resources()
        if cls.own_folder:
            shutil.rmtree(cls.own_folder, ignore_errors=True)

    def run_cell(self, code, client=None, timeout=TIMEOUT, **options):
        """Executes a cell and waits for its reply and for idle."""
        client = client or self.client
        msg_id = client.execute(code, **options)
        return self.finished(msg_id, client, timeout)

    def finished(self, msg_id, client=None, timeout=TIMEOUT):
        """Collects the reply and the iopub messages of a request that has been sent."""
        client = client or self.client
        messages = self.iopub_until_idle(msg_id, client, timeout)
        return Execution(msg_id, self.reply_to(msg_id, client.get_shell_msg, timeout), messages)

    def evaluate(self, code):
        """Runs a cell that must succeed; the text of its result."""
        execution = self.run_cell(code)
        self.assertEqual(execution.status, "ok", "\n".join(execution.content.get("traceback", [])))
        return execution.result

    def iopub_until_idle(self, msg_id, client=None, timeout=TIMEOUT):
        client = client or self.client
        messages = []
        deadline = time.monotonic() + timeout
        while True:
            try:
                message = client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                self.fail(f"no idle for {msg_id} within {timeout} s; got {[m['msg_type'] for m in messages]}")
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            messages.append(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return messages

    def reply_to(self, msg_id, get, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while True:
            try:
                message = get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                self.fail(f"no reply to {msg_id} within {timeout} s")
            if message["parent_header"].get("msg_id") == msg_id:
                return message

    def request(self, msg_type, content, channel="shell", client=None, timeout=TIMEOUT):
        """Sends any request on shell or control and returns its reply."""
        client = client or self.client
        socket = getattr(client, f"{channel}_channel")
        message = client.session.msg(msg_type, content)
        socket.send(message)
        return self.reply_to(message["header"]["msg_id"], getattr(client, f"get_{channel}_msg"), timeout)


def start_kernel(cwd=None, extra_env=None, **options):
    """A running kernel and a client that is ready."""
    manager = KernelManager(kernel_name=KERNEL_NAME, **options)
    environment = {**os.environ, "PERSIMMON_KERNEL_HISTORY": "", **(extra_env or {})}
    manager.start_kernel(env=environment, **({"cwd": cwd} if cwd else {}))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=TIMEOUT)
    return manager, client
