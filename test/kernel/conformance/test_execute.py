"""execute_request: what a cell publishes and replies."""

from datetime import datetime

from harness import KernelTestCase


class Execute(KernelTestCase):
    def test_result_is_an_execute_result(self):
        execution = self.run_cell("1 + 1")
        self.assertEqual(execution.types(), ["execute_input", "execute_result"])
        self.assertEqual(execution.result, "2")
        self.assertEqual(execution.status, "ok")

    def test_busy_comes_first_idle_last_and_each_once(self):
        execution = self.run_cell("console.log(1); 2")
        states = [m["content"]["execution_state"] for m in execution.of_type("status")]
        self.assertEqual(states, ["busy", "idle"])

    def test_everything_published_names_the_request_as_its_parent(self):
        execution = self.run_cell("console.log('a'); display.html('<i>b</i>'); 3")
        self.assertEqual(
            execution.types(), ["execute_input", "stream", "display_data", "execute_result"]
        )
        for message in execution.messages:
            self.assertEqual(message["parent_header"]["msg_id"], execution.msg_id)
            self.assertEqual(message["parent_header"]["msg_type"], "execute_request")
            self.assertEqual(message["parent_header"]["session"], self.client.session.session)

    def test_reply_names_the_request_as_its_parent(self):
        execution = self.run_cell("1")
        self.assertEqual(execution.reply["msg_type"], "execute_reply")
        self.assertEqual(execution.reply["parent_header"]["msg_id"], execution.msg_id)

    def test_ok_reply_has_count_payload_and_user_expressions(self):
        content = self.run_cell("1").content
        self.assertEqual(content["status"], "ok")
        self.assertIsInstance(content["execution_count"], int)
        self.assertEqual(content["payload"], [])
        self.assertEqual(content["user_expressions"], {})

    def test_reply_says_when_the_cell_started(self):
        # JupyterLab shows a cell's times from this field, as ipykernel sends it.
        reply = self.run_cell("1").reply
        started = datetime.fromisoformat(reply["metadata"]["started"].replace("Z", "+00:00"))
        self.assertLessEqual(started, reply["header"]["date"])

    def test_execute_input_repeats_the_code_and_the_count(self):
        execution = self.run_cell("const repeated = 1;\nrepeated")
        content = execution.of_type("execute_input")[0]["content"]
        self.assertEqual(content["code"], "const repeated = 1;\nrepeated")
        self.assertEqual(content["execution_count"], execution.content["execution_count"])

    def test_result_carries_the_count_and_metadata(self):
        execution = self.run_cell("'x'")
        content = execution.of_type("execute_result")[0]["content"]
        self.assertEqual(content["execution_count"], execution.content["execution_count"])
        self.assertEqual(content["metadata"], {})

    def test_counts_rise_by_one(self):
        counts = [self.run_cell("0").content["execution_count"] for _ in range(3)]
        self.assertEqual(counts, [counts[0], counts[0] + 1, counts[0] + 2])

    def test_a_cell_that_fails_is_counted(self):
        before = self.run_cell("0").content["execution_count"]
        self.assertEqual(self.run_cell("throw new Error('x')").content["execution_count"], before + 1)
        self.assertEqual(self.run_cell("0").content["execution_count"], before + 2)

    def test_an_empty_cell_is_ok_and_not_counted(self):
        before = self.run_cell("0").content["execution_count"]
        for code in ("", "  \n\t"):
            empty = self.run_cell(code)
            self.assertEqual(empty.status, "ok")
            self.assertEqual(empty.content["execution_count"], before)
            self.assertIsNone(empty.data)
        self.assertEqual(self.run_cell("0").content["execution_count"], before + 1)

    def test_a_cell_of_comments_is_ok_and_without_result(self):
        execution = self.run_cell("// nothing\n/* here */")
        self.assertEqual(execution.status, "ok")
        self.assertEqual(execution.types(), ["execute_input"])

    def test_undefined_is_no_result(self):
        self.assertEqual(self.run_cell("undefined").types(), ["execute_input"])
        self.assertEqual(self.run_cell("const silentConst = 4").types(), ["execute_input"])

    def test_null_zero_and_the_empty_string_are_results(self):
        for code, shown in (("null", "null"), ("0", "0"), ("''", "''"), ("false", "false")):
            self.assertEqual(self.evaluate(code), shown)

    def test_silent_publishes_neither_input_nor_result_and_does_not_count(self):
        before = self.run_cell("0").content["execution_count"]
        silent = self.run_cell("globalThis.silently = 5; 42", silent=True)
        self.assertEqual(silent.status, "ok")
        self.assertEqual(silent.types(), [])
        self.assertEqual([m["content"]["execution_state"] for m in silent.messages], ["busy", "idle"])
        self.assertEqual(silent.content["execution_count"], before)
        self.assertEqual(self.evaluate("(globalThis as any).silently"), "5")
        self.assertEqual(self.run_cell("0").content["execution_count"], before + 2)

    def test_store_history_false_shows_the_result_and_does_not_count(self):
        before = self.run_cell("0").content["execution_count"]
        execution = self.run_cell("6 * 7", store_history=False)
        self.assertEqual(execution.result, "42")
        self.assertEqual(execution.content["execution_count"], before)
        self.assertEqual(self.run_cell("0").content["execution_count"], before + 1)

    def test_user_expressions_have_a_status_each(self):
        execution = self.run_cell(
            "const fifty = 50",
            user_expressions={"good": "fifty + 1", "bad": "missing", "broken": "(", "empty": "void 0"},
        )
        expressions = execution.content["user_expressions"]
        self.assertEqual(set(expressions), {"good", "bad", "broken", "empty"})
        self.assertEqual(expressions["good"]["status"], "ok")
        self.assertEqual(expressions["good"]["data"]["text/plain"], "51")
        self.assertEqual(expressions["good"]["metadata"], {})
        for name in ("bad", "broken"):
            self.assertEqual(expressions[name]["status"], "error")
            for field in ("ename", "evalue", "traceback"):
                self.assertIn(field, expressions[name])
        self.assertEqual(expressions["empty"]["status"], "ok")
        self.assertEqual(execution.status, "ok")

    def test_user_expressions_are_evaluated_for_a_silent_and_for_an_empty_cell(self):
        for code, options in (("0", {"silent": True}), ("", {})):
            content = self.run_cell(code, user_expressions={"sum": "1 + 2"}, **options).content
            self.assertEqual(content["user_expressions"]["sum"]["data"]["text/plain"], "3")

    def test_user_expressions_of_a_failed_cell_are_not_evaluated(self):
        content = self.run_cell("throw new Error('x')", user_expressions={"sum": "1 + 2"}).content
        self.assertEqual(content["status"], "error")
        self.assertEqual(content.get("user_expressions", {}), {})

    def test_an_exception_is_published_and_replied_alike(self):
        execution = self.run_cell("throw new RangeError('too far')")
        published = execution.of_type("error")
        self.assertEqual(len(published), 1)
        for content in (published[0]["content"], execution.content):
            self.assertEqual(content["ename"], "RangeError")
            self.assertEqual(content["evalue"], "too far")
            self.assertIsInstance(content["traceback"], list)
            self.assertTrue(all(isinstance(line, str) for line in content["traceback"]))
            self.assertIn("too far", "\n".join(content["traceback"]))
        self.assertEqual(execution.status, "error")

    def test_a_failing_cell_publishes_no_result(self):
        self.assertEqual(
            self.run_cell("console.log('before'); throw new Error('x'); 1").types(),
            ["execute_input", "stream", "error"],
        )

    def test_code_that_does_not_compile_does_not_run(self):
        execution = self.run_cell("console.log('ran'); const broken: number = 'text'")
        self.assertEqual(execution.status, "error")
        self.assertEqual(execution.types(), ["execute_input", "error"])

    def test_a_thrown_value_that_is_no_error_is_reported(self):
        for code, shown in (("throw 'text'", "text"), ("throw { a: 1 }", "a: 1"), ("throw null", "null")):
            content = self.run_cell(code).content
            self.assertEqual(content["status"], "error")
            self.assertIn(shown, content["evalue"])

    def test_an_error_that_cannot_be_looked_at_ends_the_cell_all_the_same(self):
        for code in (
            "const odd: any = new Error('x'); odd.name = Symbol('n'); throw odd",
            "throw Object.defineProperty(new Error('x'), 'message', { get() { throw 1 } })",
            "throw new Proxy({}, { get() { throw new Error('trap') } })",
            "throw new Proxy(new Error('x'), { get() { throw new Error('trap') } })",
        ):
            execution = self.run_cell(code)
            self.assertEqual(execution.status, "error")
            self.assertEqual(execution.types(), ["execute_input", "error"])
        stray = "new Proxy(new Error('x'), { get() { throw new Error('trap') } })"
        self.run_cell(f"setTimeout(() => {{ throw {stray} }}); void Promise.reject({stray})")
        self.run_cell("await new Promise((done) => setTimeout(done, 100))")
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_a_result_that_json_cannot_hold_is_shown_all_the_same(self):
        for code, shown in (
            ("10n ** 20n", "100000000000000000000n"),
            ("const ring: any = {}; ring.self = ring; ring", "Circular"),
            ("() => 1", "[Function"),
            ("Symbol('s')", "Symbol(s)"),
        ):
            self.assertIn(shown, self.evaluate(code))

    def test_a_rejected_promise_fails_the_cell(self):
        content = self.run_cell("await Promise.reject(new TypeError('refused'))").content
        self.assertEqual((content["ename"], content["evalue"]), ("TypeError", "refused"))

    def test_clear_output_says_whether_to_wait(self):
        execution = self.run_cell("display.clear(); display.clear({ wait: true })")
        self.assertEqual(
            [m["content"] for m in execution.of_type("clear_output")], [{"wait": False}, {"wait": True}]
        )

    def test_update_display_data_names_the_display(self):
        execution = self.run_cell(
            "display({ 'text/plain': 'one' }, { raw: true, id: 'progress' });"
            "display({ 'text/plain': 'two' }, { raw: true, id: 'progress', update: true });"
        )
        self.assertEqual(execution.types(), ["execute_input", "display_data", "update_display_data"])
        for message, text in zip(execution.messages[2:4], ("one", "two")):
            self.assertEqual(message["content"]["data"], {"text/plain": text})
            self.assertEqual(message["content"]["transient"], {"display_id": "progress"})
            self.assertEqual(message["content"]["metadata"], {})

    def test_a_display_can_be_updated_from_a_later_cell(self):
        self.run_cell("display({ 'text/plain': 'one' }, { raw: true, id: 'across' })")
        later = self.run_cell("display({ 'text/plain': 'two' }, { raw: true, id: 'across', update: true })")
        self.assertEqual(later.types(), ["execute_input", "update_display_data"])

    def test_a_display_without_a_name_has_an_empty_transient(self):
        content = self.run_cell("display('x')").of_type("display_data")[0]["content"]
        self.assertEqual(content["transient"], {})

    def test_metadata_that_json_cannot_hold_fails_the_cell_and_not_the_kernel(self):
        content = self.run_cell("display('x', { metadata: { big: 1n } })").content
        self.assertEqual((content["status"], content["ename"]), ("error", "TypeError"))
        self.assertEqual(self.evaluate("1 + 1"), "2")
