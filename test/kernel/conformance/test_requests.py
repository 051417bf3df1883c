"""Requests other than execute_request, on shell and on control."""

import time

from harness import TIMEOUT, KernelTestCase, start_kernel


class Requests(KernelTestCase):
    def test_kernel_info_has_every_field_of_the_protocol(self):
        content = self.request("kernel_info_request", {})["content"]
        self.assertEqual(content["status"], "ok")
        self.assertEqual(content["protocol_version"], "5.4")
        for field in ("implementation", "implementation_version", "banner"):
            self.assertIsInstance(content[field], str)
            self.assertTrue(content[field])
        for link in content["help_links"]:
            self.assertEqual(set(link), {"text", "url"})
        self.assertIs(content["debugger"], False)
        self.assertIsInstance(content["supported_features"], list)

    def test_language_info_describes_typescript(self):
        info = self.request("kernel_info_request", {})["content"]["language_info"]
        self.assertEqual(info["name"], "typescript")
        self.assertRegex(info["version"], r"^\d+\.\d+\.\d+")
        self.assertEqual(info["mimetype"], "application/typescript")
        self.assertEqual(info["file_extension"], ".ts")
        self.assertEqual(info["pygments_lexer"], "typescript")
        self.assertEqual(info["codemirror_mode"], "typescript")
        self.assertEqual(info["nbconvert_exporter"], "script")

    def test_kernel_info_is_the_same_on_control(self):
        shell = self.request("kernel_info_request", {})
        control = self.request("kernel_info_request", {}, channel="control")
        self.assertEqual(control["msg_type"], "kernel_info_reply")
        self.assertEqual(control["content"], shell["content"])

    def test_every_request_is_between_one_busy_and_one_idle(self):
        requests = [
            ("kernel_info_request", {}),
            ("complete_request", {"code": "Mat", "cursor_pos": 3}),
            ("inspect_request", {"code": "Math", "cursor_pos": 4, "detail_level": 0}),
            ("is_complete_request", {"code": "1"}),
            ("history_request", {"hist_access_type": "tail", "n": 1, "raw": True, "output": False}),
            ("comm_info_request", {}),
            ("connect_request", {}),
            ("strange_request", {}),
        ]
        for msg_type, content in requests:
            for channel in ("shell", "control"):
                with self.subTest(msg_type, channel=channel):
                    reply = self.request(msg_type, content, channel)
                    parent = reply["parent_header"]["msg_id"]
                    messages = self.iopub_until_idle(parent)
                    states = [m["content"]["execution_state"] for m in messages if m["msg_type"] == "status"]
                    self.assertEqual(states, ["busy", "idle"])
                    self.assertIn(reply["content"]["status"], ("ok", "error", "complete"))
                    self.assertEqual(reply["msg_type"], msg_type.replace("_request", "_reply"))

    def test_connect_reply_names_the_ports(self):
        content = self.request("connect_request", {})["content"]
        self.assertEqual(content["status"], "ok")
        for channel in ("shell", "iopub", "stdin", "hb", "control"):
            self.assertEqual(content[f"{channel}_port"], getattr(self.manager, f"{channel}_port"))

    def test_complete_reply_has_matches_and_a_range(self):
        content = self.request("complete_request", {"code": "Math.flo", "cursor_pos": 8})["content"]
        self.assertEqual(content["status"], "ok")
        self.assertIn("floor", content["matches"])
        self.assertEqual((content["cursor_start"], content["cursor_end"]), (5, 8))
        self.assertIsInstance(content["metadata"], dict)

    def test_a_cursor_outside_of_the_code_is_answered(self):
        for cursor in (-5, 10_000, None, "3"):
            with self.subTest(cursor=cursor):
                for msg_type in ("complete_request", "inspect_request"):
                    reply = self.request(msg_type, {"code": "Math.", "cursor_pos": cursor, "detail_level": 0})
                    self.assertEqual(reply["content"]["status"], "ok")

    def test_a_cursor_that_is_missing_means_the_end_of_the_code(self):
        content = self.request("complete_request", {"code": "Math.flo"})["content"]
        self.assertIn("floor", content["matches"])

    def test_inspect_says_whether_it_found_something(self):
        found = self.request("inspect_request", {"code": "Math.max", "cursor_pos": 8})["content"]
        self.assertIs(found["found"], True)
        self.assertIn("max", found["data"]["text/plain"])
        missing = self.request("inspect_request", {"code": "   ", "cursor_pos": 1})["content"]
        self.assertEqual(missing["status"], "ok")
        self.assertIs(missing["found"], False)
        self.assertEqual((missing["data"], missing["metadata"]), ({}, {}))

    def test_is_complete_tells_the_three_cases_apart(self):
        for code, status in (
            ("const a = 1", "complete"),
            ("", "complete"),
            ("function f() {", "incomplete"),
            ("[1, 2,", "incomplete"),
            ("`open template", "incomplete"),
            ("/* open comment", "incomplete"),
            ("const = 3", "invalid"),
        ):
            with self.subTest(code):
                content = self.request("is_complete_request", {"code": code})["content"]
                self.assertEqual(content["status"], status)

    def test_incomplete_input_comes_with_an_indent_and_complete_without(self):
        content = self.request("is_complete_request", {"code": "if (true) {"})["content"]
        self.assertRegex(content["indent"], r"^\s+$")
        nested = self.request("is_complete_request", {"code": "if (true) {\n  while (false) {"})["content"]
        self.assertGreater(len(nested["indent"]), len(content["indent"]))
        self.assertNotIn("indent", self.request("is_complete_request", {"code": "1"})["content"])

    def test_an_unknown_request_is_refused_with_an_error(self):
        for channel in ("shell", "control"):
            reply = self.request("strange_request", {}, channel)
            self.assertEqual(reply["msg_type"], "strange_reply")
            content = reply["content"]
            self.assertEqual(content["status"], "error")
            self.assertTrue(content["ename"] and content["evalue"])
            self.assertIsInstance(content["traceback"], list)
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_a_debug_request_gets_a_response_that_says_it_failed(self):
        request = {"type": "request", "seq": 7, "command": "debugInfo", "arguments": {}}
        reply = self.request("debug_request", request, channel="control")
        self.assertEqual(reply["msg_type"], "debug_reply")
        content = reply["content"]
        self.assertEqual(content["type"], "response")
        self.assertEqual(content["request_seq"], 7)
        self.assertEqual(content["command"], "debugInfo")
        self.assertIs(content["success"], False)
        self.assertTrue(content["message"])
        self.assertEqual(content["status"], "error")

    def test_subshell_requests_are_refused_and_not_advertised(self):
        info = self.request("kernel_info_request", {})["content"]
        self.assertNotIn("kernel subshells", info["supported_features"])
        for kind in ("create", "delete", "list"):
            reply = self.request(f"{kind}_subshell_request", {"subshell_id": "x"}, channel="control")
            self.assertEqual(reply["msg_type"], f"{kind}_subshell_reply")
            self.assertEqual(reply["content"]["status"], "error")

    def test_interrupt_request_is_answered_on_control_when_nothing_runs(self):
        reply = self.request("interrupt_request", {}, channel="control")
        self.assertEqual((reply["msg_type"], reply["content"]), ("interrupt_reply", {"status": "ok"}))
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_requests_are_answered_while_a_cell_awaits(self):
        self.answers_during("await new Promise((done) => setTimeout(done, 2500))")

    def test_requests_are_answered_while_a_cell_computes(self):
        self.answers_during("const busyUntil = Date.now() + 2500; while (Date.now() < busyUntil) {}")

    def answers_during(self, code):
        msg_id = self.client.execute(code)
        time.sleep(0.3)
        asked = [
            self.request("kernel_info_request", {}),
            self.request("kernel_info_request", {}, "control"),
            self.request("complete_request", {"code": "Math.", "cursor_pos": 5}),
            self.request("inspect_request", {"code": "Math", "cursor_pos": 4, "detail_level": 0}),
            self.request("is_complete_request", {"code": "1"}),
            self.request("history_request", {"hist_access_type": "tail", "n": 1}),
            self.request("comm_info_request", {}, "control"),
            self.request("connect_request", {}, "control"),
        ]
        execution = self.finished(msg_id)
        self.assertEqual(execution.status, "ok")
        for reply in asked:
            self.assertLess(reply["header"]["date"], execution.reply["header"]["date"], reply["msg_type"])

    def test_contents_of_a_wrong_type_are_answered_and_the_kernel_lives(self):
        wrong = {"toString": 1}
        for msg_type, content in (
            ("complete_request", {"code": wrong, "cursor_pos": wrong}),
            ("inspect_request", {"code": 5, "cursor_pos": 1, "detail_level": wrong}),
            ("is_complete_request", {"code": wrong}),
            ("history_request", {"hist_access_type": wrong, "n": wrong}),
            ("history_request", {"hist_access_type": "search", "pattern": wrong}),
            ("comm_info_request", {"target_name": wrong}),
            ("execute_request", {"code": wrong}),
            ("execute_request", {"code": None}),
            ("execute_request", {}),
            ("execute_request", {"code": "1", "user_expressions": "text"}),
            ("execute_request", {"code": "1", "user_expressions": {"a": wrong}}),
            ("debug_request", {"seq": wrong}),
        ):
            with self.subTest(msg_type, content=content):
                self.assertIn("status", self.request(msg_type, content)["content"])
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_code_that_is_no_text_is_an_error(self):
        for code in (5, ["1"], {"a": 1}, None):
            content = self.request("execute_request", {"code": code, "silent": False})["content"]
            self.assertEqual(content["status"], "error")
            self.assertIsInstance(content["execution_count"], int)

    def test_an_execute_request_on_control_is_run(self):
        reply = self.request("execute_request", {"code": "1 + 1", "silent": False}, channel="control")
        self.assertEqual(reply["content"]["status"], "ok")


class Shutdown(KernelTestCase):
    def shutdown_on(self, channel, restart):
        manager, client = start_kernel()
        try:
            reply = self.request("shutdown_request", {"restart": restart}, channel, client)
            self.assertEqual(reply["msg_type"], "shutdown_reply")
            self.assertEqual(reply["content"], {"status": "ok", "restart": restart})
            messages = self.iopub_until_idle(reply["parent_header"]["msg_id"], client)
            published = [m for m in messages if m["msg_type"] == "shutdown_reply"]
            self.assertEqual([m["content"] for m in published], [{"status": "ok", "restart": restart}])
            deadline = time.monotonic() + TIMEOUT
            while manager.is_alive() and time.monotonic() < deadline:
                time.sleep(0.02)
            self.assertFalse(manager.is_alive())
        finally:
            client.stop_channels()
            if manager.has_kernel:
                manager.shutdown_kernel(now=True)
            manager.cleanup_resources()

    def test_shutdown_on_control_is_replied_there_and_on_iopub(self):
        self.shutdown_on("control", False)

    def test_shutdown_on_shell_is_replied_there_and_on_iopub(self):
        self.shutdown_on("shell", True)
