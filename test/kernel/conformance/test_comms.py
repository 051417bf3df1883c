"""Comms: messages between cells and the page, both ways."""

import time

from harness import KernelTestCase


class Comms(KernelTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.execute_interactive(
            """
            const seen: any[] = [];
            comms.registerTarget("echo", (comm, open) => {
              seen.push(["open", open.content.data]);
              comm.onMsg((msg) => {
                console.log("handling");
                comm.send({ back: msg.content.data }, { buffers: msg.buffers, metadata: { m: 1 } });
              });
              comm.onClose((msg) => { seen.push(["close", msg.content.data]); });
            });
            comms.registerTarget("failing", () => { throw new Error("cannot open"); });
            comms.registerTarget("failing later", (comm) => {
              comm.onMsg(async () => { throw new Error("cannot handle"); });
            });
            """,
            timeout=60,
        )

    def send(self, msg_type, content, buffers=None, metadata=None):
        """Sends a comm message; what it led to on iopub."""
        session = self.client.session
        message = session.msg(msg_type, content, metadata=metadata)
        session.send(self.client.shell_channel.socket, message, buffers=buffers)
        return self.iopub_until_idle(message["header"]["msg_id"])

    def open(self, comm_id, target="echo", data=None):
        return self.send("comm_open", {"comm_id": comm_id, "target_name": target, "data": data or {}})

    def types(self, messages):
        return [m["msg_type"] for m in messages if m["msg_type"] != "status"]

    def comms(self, content=None, channel="shell"):
        reply = self.request("comm_info_request", content or {}, channel)["content"]
        self.assertEqual(reply["status"], "ok")
        return reply["comms"]

    def test_open_calls_the_target_with_the_data(self):
        messages = self.open("opened", data={"x": [1, 2]})
        self.assertEqual([m["content"]["execution_state"] for m in messages], ["busy", "idle"])
        self.assertEqual(self.evaluate("JSON.stringify(seen.filter(([k]) => k === 'open').at(-1))"),
                         "'[\"open\",{\"x\":[1,2]}]'")

    def test_a_message_is_answered_with_the_message_as_parent(self):
        self.open("answered")
        messages = self.send("comm_msg", {"comm_id": "answered", "data": {"y": 2}})
        self.assertEqual(self.types(messages), ["stream", "comm_msg"])
        content = messages[2]["content"]
        self.assertEqual(content, {"comm_id": "answered", "data": {"back": {"y": 2}}})
        self.assertEqual(messages[2]["metadata"]["m"], 1)

    def test_binary_buffers_travel_both_ways(self):
        self.open("binary")
        sent = [b"\x00\x01\xff", b"", bytes(range(256)) * 4096]
        messages = self.send("comm_msg", {"comm_id": "binary", "data": {}}, buffers=sent)
        back = [m for m in messages if m["msg_type"] == "comm_msg"][0]
        self.assertEqual([bytes(b) for b in back["buffers"]], sent)

    def test_arrays_of_any_kind_are_sent_as_buffers(self):
        execution = self.run_cell(
            "const floats = new Float32Array([1, 2, 3]);"
            "const view = new DataView(floats.buffer, 4, 4);"
            "comms.open('front', {}, { buffers: [floats.subarray(1), floats.buffer, view] }); 0"
        )
        self.assertEqual(execution.status, "ok", execution.content.get("evalue"))
        sizes = [len(b) for b in execution.of_type("comm_open")[0]["buffers"]]
        self.assertEqual(sizes, [8, 12, 4])

    def test_close_calls_the_listeners_and_forgets_the_comm(self):
        self.open("closing")
        self.assertIn("closing", self.comms())
        self.assertEqual(self.types(self.send("comm_close", {"comm_id": "closing", "data": {"bye": 1}})), [])
        self.assertNotIn("closing", self.comms())
        self.assertIn('"bye":1', self.evaluate("JSON.stringify(seen.at(-1))"))

    def test_an_unknown_target_is_closed_at_once(self):
        messages = self.open("nobody", target="no such target")
        closed = [m for m in messages if m["msg_type"] == "comm_close"]
        self.assertEqual([m["content"]["comm_id"] for m in closed], ["nobody"])
        self.assertNotIn("nobody", self.comms())

    def test_messages_for_an_unknown_comm_are_ignored(self):
        for msg_type in ("comm_msg", "comm_close"):
            messages = self.send(msg_type, {"comm_id": "never opened", "data": {}})
            self.assertEqual([m["msg_type"] for m in messages], ["status", "status"])

    def test_malformed_comm_messages_do_no_harm(self):
        wrong = {"toString": 1}
        for msg_type in ("comm_open", "comm_msg", "comm_close"):
            for content in ({}, {"comm_id": wrong, "target_name": wrong}, {"comm_id": 5, "data": None}):
                self.send(msg_type, content)
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_comm_info_lists_all_comms_or_those_of_a_target(self):
        self.open("listed")
        self.run_cell("const fromCell = comms.open('front.listed', {}, { id: 'from-cell' })")
        everything = self.comms()
        self.assertEqual(everything["listed"], {"target_name": "echo"})
        self.assertEqual(everything["from-cell"], {"target_name": "front.listed"})
        found = self.comms({"target_name": "front.listed"})
        self.assertEqual(found, {"from-cell": {"target_name": "front.listed"}})
        self.assertEqual(self.comms({"target_name": "nobody"}), {})
        self.assertEqual(self.comms({"target_name": "front.listed"}, "control").keys(), {"from-cell"})

    def test_a_cell_opens_sends_and_closes(self):
        execution = self.run_cell(
            "const own = comms.open('front.target', { a: 1 }, { metadata: { version: 2 } });"
            "own.send({ b: 2 }, { buffers: [new Uint8Array([7])] }); own.close({ c: 3 });"
        )
        opened, sent, closed = execution.messages[2:5]
        self.assertEqual(execution.types(), ["execute_input", "comm_open", "comm_msg", "comm_close"])
        self.assertEqual(opened["content"]["target_name"], "front.target")
        self.assertEqual(opened["content"]["data"], {"a": 1})
        self.assertEqual(opened["metadata"]["version"], 2)
        self.assertEqual((sent["content"]["data"], bytes(sent["buffers"][0])), ({"b": 2}, b"\x07"))
        self.assertEqual(closed["content"]["data"], {"c": 3})
        self.assertEqual(len({m["content"]["comm_id"] for m in (opened, sent, closed)}), 1)

    def test_an_error_in_a_target_is_shown_and_closes_the_comm(self):
        messages = self.open("failed", target="failing")
        self.assertEqual(self.types(messages), ["comm_close", "stream"])
        self.assertIn("cannot open", messages[2]["content"]["text"])
        self.assertEqual(messages[2]["content"]["name"], "stderr")
        self.assertNotIn("failed", self.comms())

    def test_an_error_in_a_listener_is_shown_and_the_comm_stays(self):
        self.open("failing-later", target="failing later")
        messages = self.send("comm_msg", {"comm_id": "failing-later", "data": {}})
        self.assertEqual(self.types(messages), ["stream"])
        self.assertIn("cannot handle", messages[1]["content"]["text"])
        self.assertIn("failing-later", self.comms())

    def test_messages_are_handled_while_a_cell_awaits(self):
        self.open("during")
        msg_id = self.client.execute(
            "const mark = seen.length;"
            "while (seen.length === mark) await new Promise((done) => setTimeout(done, 20)); 'seen'"
        )
        time.sleep(0.3)
        self.client.shell_channel.send(
            self.client.session.msg("comm_close", {"comm_id": "during", "data": {"awaited": True}})
        )
        self.assertEqual(self.finished(msg_id).result, "'seen'")

    def test_messages_sent_during_a_computation_are_handled_after_it(self):
        self.open("blocked")
        msg_id = self.client.execute("const start = Date.now(); while (Date.now() < start + 700) {}")
        time.sleep(0.2)
        messages = self.send("comm_msg", {"comm_id": "blocked", "data": {"n": 1}})
        self.assertIn("comm_msg", self.types(messages))
        self.assertEqual(self.reply_to(msg_id, self.client.get_shell_msg)["content"]["status"], "ok")

    def test_an_open_sent_right_after_the_cell_that_registers_its_target_finds_it(self):
        msg_id = self.client.execute("comms.registerTarget('just in time', (comm) => comm.send({}))")
        messages = self.open("in-time", target="just in time")
        self.assertEqual(self.types(messages), ["comm_msg"])
        self.assertEqual(self.reply_to(msg_id, self.client.get_shell_msg)["content"]["status"], "ok")

    def test_an_unregistered_target_is_unknown_again(self):
        self.run_cell("comms.registerTarget('short', () => {}); comms.unregisterTarget('short')")
        self.assertEqual(self.types(self.open("short-lived", target="short")), ["comm_close"])

    def test_data_that_json_cannot_hold_fails_the_cell_and_not_the_kernel(self):
        for data in ("{ big: 1n }", "(() => { const ring: any = {}; ring.self = ring; return ring; })()"):
            content = self.run_cell(f"comms.open('front', {data})").content
            self.assertEqual((content["status"], content["ename"]), ("error", "TypeError"))
        sent = self.run_cell("comms.open('front', { at: new Date(0), f() {}, u: undefined })")
        self.assertEqual(sent.of_type("comm_open")[0]["content"]["data"], {"at": "1970-01-01T00:00:00.000Z"})
