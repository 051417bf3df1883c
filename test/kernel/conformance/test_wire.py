"""Frames, signatures, headers, topics, transports."""

import hashlib
import hmac
import json
import os
import queue
import subprocess
import tempfile
import time
import unittest
from datetime import datetime

import zmq
from harness import KERNEL_NAME, TIMEOUT, KernelTestCase, start_kernel
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_client.session import Session

DELIMITER = b"<IDS|MSG>"


class Wire(KernelTestCase):
    def frames(self, msg_type="kernel_info_request", content=None, key=None):
        """The frames of a request after the identities, and its id."""
        header = self.client.session.msg_header(msg_type)
        header["date"] = header["date"].isoformat()
        parts = [json.dumps(p).encode() for p in (header, {}, {}, content or {})]
        return [DELIMITER, self.sign(parts, key), *parts], header["msg_id"]

    def sign(self, parts, key=None):
        digest = hmac.new(self.client.session.key if key is None else key, digestmod=hashlib.sha256)
        for part in parts:
            digest.update(part)
        return digest.hexdigest().encode()

    def send_raw(self, frames, channel="shell"):
        getattr(self.client, f"{channel}_channel").socket.send_multipart(frames)

    def assert_ignored(self, frames):
        """Nothing answers these frames, on any channel, and the kernel goes on."""
        for channel in ("shell", "control", "stdin"):
            self.send_raw(frames, channel)
        for channel in ("shell", "control"):
            reply = self.request("kernel_info_request", {}, channel)
            self.assertEqual(reply["content"]["status"], "ok")
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_frames_made_by_hand_are_answered(self):
        frames, msg_id = self.frames()
        self.send_raw(frames)
        self.assertEqual(self.reply_to(msg_id, self.client.get_shell_msg)["msg_type"], "kernel_info_reply")

    def test_a_wrong_signature_is_ignored(self):
        frames, msg_id = self.frames(key=b"another key")
        self.send_raw(frames)
        self.request("kernel_info_request", {}, "control")
        with self.assertRaises(queue.Empty):
            while self.client.get_shell_msg(timeout=0.5)["parent_header"]["msg_id"] != msg_id:
                pass

    def test_a_missing_or_shortened_signature_is_ignored(self):
        frames, _ = self.frames("execute_request", {"code": "globalThis.forged = true", "silent": True})
        for signature in (b"", frames[1][:10], b"x" * 64, frames[1] + b"00"):
            self.assert_ignored([DELIMITER, signature, *frames[2:]])
        self.assertEqual(self.evaluate("'forged' in globalThis"), "false")

    def test_missing_frames_are_ignored(self):
        frames, _ = self.frames()
        for broken in ([b""], [DELIMITER], frames[:2], frames[:4], frames[:5], frames[1:], [b"a", b"b"]):
            self.assert_ignored(broken)

    def test_json_that_is_broken_or_of_a_wrong_shape_is_ignored(self):
        frames, _ = self.frames()
        for part, text in (
            (2, b"{"), (2, b"null"), (2, b"[]"), (2, b"{}"), (2, b'{"msg_type": 5, "msg_id": "x"}'),
            (2, b"\xff\xfe"), (5, b"null"), (5, b"5"), (5, b"{"), (5, b'"text"'), (3, b"{"), (4, b"]"),
        ):
            parts = frames[2:]
            parts[part - 2] = text
            self.assert_ignored([DELIMITER, self.sign(parts), *parts])

    def test_messages_that_are_no_requests_are_ignored(self):
        for msg_type in ("strange", "", "status", "kernel_info_reply", "constructor", "__proto__"):
            frames, _ = self.frames(msg_type)
            self.assert_ignored(frames)

    def test_a_message_of_20_mb_is_answered(self):
        size = 20_000_000
        content = {"code": f"/* {'x' * size} */ 'big'", "silent": False}
        self.assertEqual(self.request("execute_request", content)["content"]["status"], "ok")
        self.assertEqual(self.evaluate("'y'.repeat(10)"), "'yyyyyyyyyy'")

    def test_header_has_every_field(self):
        for message in (self.request("kernel_info_request", {}), *self.run_cell("1").messages):
            header = message["header"]
            self.assertEqual(set(header) - {"subshell_id"},
                             {"msg_id", "session", "username", "date", "msg_type", "version"})
            self.assertEqual(header["version"], "5.4")
            self.assertTrue(header["username"])
            self.assertEqual(header["msg_type"], message["msg_type"])

    def test_date_is_iso_8601_with_a_time_zone(self):
        frames, _ = self.frames()
        self.send_raw(frames)
        raw = self.client.shell_channel.socket.recv_multipart()
        date = json.loads(raw[raw.index(DELIMITER) + 2])["date"]
        parsed = datetime.fromisoformat(date.replace("Z", "+00:00"))
        self.assertIsNotNone(parsed.tzinfo)
        self.assertLess(abs(time.time() - parsed.timestamp()), 60)

    def test_the_session_stays_and_ids_are_unique(self):
        messages = []
        for _ in range(5):
            execution = self.run_cell("console.log(1); 2")
            messages += [execution.reply, *execution.messages]
        messages.append(self.request("kernel_info_request", {}, "control"))
        self.assertEqual(len({m["header"]["session"] for m in messages}), 1)
        self.assertNotEqual(messages[0]["header"]["session"], self.client.session.session)
        self.assertEqual(len({m["header"]["msg_id"] for m in messages}), len(messages))

    def test_the_parent_header_is_the_request_s_header_unchanged(self):
        frames, msg_id = self.frames()
        header = {**json.loads(frames[2]), "subshell_id": None, "extra": {"kept": [1]}}
        parts = [json.dumps(header).encode(), *frames[3:]]
        self.send_raw([DELIMITER, self.sign(parts), *parts])
        raw = self.client.shell_channel.socket.recv_multipart()
        self.assertEqual(json.loads(raw[raw.index(DELIMITER) + 3]), header)

    def test_topics_of_iopub_name_the_kernel_and_the_type(self):
        socket = zmq.Context.instance().socket(zmq.SUB)
        self.addCleanup(socket.close, 0)
        socket.subscribe(b"")
        socket.connect(f"tcp://127.0.0.1:{self.manager.iopub_port}")
        socket.RCVTIMEO = int(TIMEOUT * 1000)
        self.assertEqual(self.type_of(socket.recv_multipart()), "iopub_welcome")
        self.run_cell("console.log(1); 2")
        wanted = ["status", "execute_input", "stream", "execute_result", "status"]
        for msg_type in wanted:
            frames = socket.recv_multipart()
            self.assertEqual(self.type_of(frames), msg_type)
            topic = frames[0].decode()
            self.assertTrue(topic.startswith("kernel.") and topic.endswith(f".{msg_type}"), topic)

    def type_of(self, frames):
        return json.loads(frames[frames.index(DELIMITER) + 2])["msg_type"]

    def test_every_new_subscriber_is_welcomed(self):
        for topic in (b"", b"kernel.", b""):
            socket = zmq.Context.instance().socket(zmq.SUB)
            self.addCleanup(socket.close, 0)
            socket.connect(f"tcp://127.0.0.1:{self.manager.iopub_port}")
            socket.subscribe(topic)
            socket.RCVTIMEO = int(TIMEOUT * 1000)
            frames = socket.recv_multipart()
            start = frames.index(DELIMITER)
            self.assertEqual(frames[:start], [topic])
            self.assertEqual(self.type_of(frames), "iopub_welcome")
            self.assertEqual(json.loads(frames[start + 3]), {})
            self.assertEqual(json.loads(frames[start + 5]), {"subscription": topic.decode()})

    def test_heartbeats_are_echoed_while_a_cell_computes(self):
        socket = zmq.Context.instance().socket(zmq.REQ)
        self.addCleanup(socket.close, 0)
        socket.connect(f"tcp://127.0.0.1:{self.manager.hb_port}")
        socket.RCVTIMEO = 1000
        msg_id = self.client.execute("const beating = Date.now() + 1500; while (Date.now() < beating) {}")
        for i in range(5):
            socket.send(b"beat %d" % i)
            self.assertEqual(socket.recv(), b"beat %d" % i)
        self.finished(msg_id)


class Transports(unittest.TestCase):
    """Kernels started with other connection files than the usual."""

    def run_kernel(self, **options):
        manager, client = start_kernel(**options)
        self.addCleanup(manager.cleanup_resources)
        self.addCleanup(manager.shutdown_kernel, now=True)
        self.addCleanup(client.stop_channels)
        reply = client.execute_interactive("6 * 7", timeout=TIMEOUT, output_hook=lambda message: None)
        self.assertEqual(reply["content"]["status"], "ok")

    def test_ipc(self):
        with tempfile.TemporaryDirectory() as folder:
            self.run_kernel(transport="ipc", ip=os.path.join(folder, "kernel"))
            self.doCleanups()

    def test_an_empty_key_means_no_signatures(self):
        self.run_kernel(session=Session(key=b""))

    def test_hmac_sha512(self):
        self.run_kernel(session=Session(signature_scheme="hmac-sha512", key=b"a key"))

    def test_any_address(self):
        self.run_kernel(ip="0.0.0.0")

    def start_by_hand(self, connection):
        """Starts the kernel's process with the text of a connection file."""
        folder = tempfile.mkdtemp()
        path = os.path.join(folder, "connection.json")
        with open(path, "w", encoding="utf8") as file:
            file.write(connection)
        argv = [
            path if part == "{connection_file}" else part
            for part in KernelSpecManager().get_kernel_spec(KERNEL_NAME).argv
        ]
        environment = {**os.environ, "PERSIMMON_KERNEL_HISTORY": ""}
        return subprocess.run(argv, env=environment, stderr=subprocess.PIPE, timeout=TIMEOUT, text=True)

    def test_a_connection_file_that_cannot_be_used_ends_the_kernel_with_a_reason(self):
        ports = {f"{name}_port": 1 for name in ("shell", "iopub", "stdin", "control", "hb")}
        scheme = json.dumps({**ports, "key": "k", "signature_scheme": "hmac-strange"})
        for connection, reason in (("{", "connection file"), ("{}", "shell_port"), (scheme, "hmac-strange")):
            with self.subTest(reason):
                ended = self.start_by_hand(connection)
                self.assertNotEqual(ended.returncode, 0)
                self.assertIn(reason, ended.stderr)


class Starting(KernelTestCase):
    @classmethod
    def setUpClass(cls):
        cls.manager = KernelManager(kernel_name=KERNEL_NAME)
        cls.manager.start_kernel(env={**os.environ, "PERSIMMON_KERNEL_HISTORY": ""})
        cls.client = cls.manager.client()
        cls.client.start_channels()

    def test_starting_is_published_once_and_before_all_else(self):
        messages = [self.client.get_iopub_msg(timeout=TIMEOUT) for _ in range(2)]
        self.assertEqual([m["msg_type"] for m in messages], ["iopub_welcome", "status"])
        self.assertEqual(messages[1]["content"], {"execution_state": "starting"})
        self.assertEqual(messages[1]["parent_header"], {})
        self.request("kernel_info_request", {})
        msg_id = self.client.execute("1")
        states = []
        while "idle" not in states[-1:] or len(states) < 4:
            message = self.client.get_iopub_msg(timeout=TIMEOUT)
            self.assertEqual(message["msg_type"] == "status", "execution_state" in message["content"])
            states += [message["content"]["execution_state"]] if message["msg_type"] == "status" else []
        self.assertEqual(states, ["busy", "idle", "busy", "idle"])
        self.reply_to(msg_id, self.client.get_shell_msg)
