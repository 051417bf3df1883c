"""Errors worth reading: name, message, and a traceback in the cell's own lines and columns."""

import json

from folder import FolderTestCase


class Errors(FolderTestCase):
    files = {
        "broken.json": '{"a": 1',
        "broken.ts": "export const fine = 1;\nexport const a = ;\n",
        "thrower.ts": "export function fail(): never {\n  throw new RangeError('inside');\n}\n",
        "node_modules/bad/package.json": '{"name":"bad","main":"index.js"}',
        "node_modules/bad/index.js": "module.exports = 1;\nlet a = ;\n",
        "node_modules/deep/package.json": '{"name":"deep","main":"index.js"}',
        "node_modules/deep/index.js": "module.exports = function down(n) { if (n === 0) throw new "
                                      "Error('deep'); down(n - 1) }",
    }

    def place(self, traceback):
        """The first place of a cell in a traceback, as (line, column)."""
        self.assertRegex(traceback, r"Cell \d+:\d+:\d+")
        _, _, rest = traceback.partition("Cell ")
        _, line, column = rest.replace(")", " ").split()[0].split(":")[:3]
        return int(line), int(column)

    def test_an_exception_has_name_message_place_and_line(self):
        name, value, text = self.error_of("const a = 1;\nfunction thrower() {\n  throw new "
                                          "TypeError('wrong');\n}\nthrower()")
        self.assertEqual((name, value), ("TypeError", "wrong"))
        self.assertTrue(text.startswith("TypeError: wrong"))
        self.assertEqual(self.place(text), (3, 9))
        self.assertIn("at thrower (Cell", text)
        self.assertIn("3 |   throw new TypeError('wrong');\n  |         ^", text)
        self.assertNotIn("node:internal", text)
        self.assertNotIn("dist/kernel", text)

    def test_all_compile_errors_are_shown_with_their_places(self):
        name, value, text = self.error_of("let a: string = 1;\nlet b: number = 'x';")
        self.assertEqual(name, "TypeScriptError")
        self.assertIn("TS2322", value)
        for place in (":1:5 - error TS2322", ":2:5 - error TS2322"):
            self.assertIn(place, text)
        self.assertIn("2 | let b: number = 'x';\n  |     ~", text)

    def test_all_syntax_errors_are_shown_and_nothing_runs(self):
        execution = self.run_cell("console.log('ran');\nlet a = ;\nlet b = ) 3;")
        self.assertEqual(execution.text(), "")
        text = "\n".join(execution.content["traceback"])
        self.assertIn(":2:9 - error TS1109", text)
        self.assertIn(":3:9 - error TS1109", text)

    def test_a_rejection_made_by_node_has_the_lines_that_awaited(self):
        self.run_cell("import { readFile } from 'node:fs/promises'\nasync function load(path: string) {\n  "
                      "return await readFile(path);\n}")
        name, _, text = self.error_of("1;\nawait load('/nowhere/at/all')")
        self.assertEqual(name, "Error")
        self.assertRegex(text, r"at async load \(Cell \d+:3:10\)")
        self.assertRegex(text, r"at async Cell \d+:2:1")
        self.assertIn("3 |   return await readFile(path);", text)

    def test_a_failed_fetch_has_the_line_that_awaited(self):
        _, _, text = self.error_of("1;\n  await fetch('http://127.0.0.1:1/')")
        self.assertEqual(self.place(text), (2, 3))

    def test_a_rejection_made_in_a_callback_without_a_stack_has_the_line_that_awaited(self):
        code = (
            "async function wait() {\n  await new Promise((_, reject) => "
            "AbortSignal.timeout(5).addEventListener('abort', function () { reject(this.reason) "
            "}));\n}\nawait wait()"
        )
        name, _, text = self.error_of(code)
        self.assertEqual(name, "TimeoutError")
        self.assertEqual(self.place(text), (2, 3))
        self.assertRegex(text, r"Cell \d+:4:1")

    def test_an_error_without_a_stack_in_a_for_await(self):
        code = (
            "async function* g() { yield 1; const e = new Error('x'); e.stack = undefined; throw e "
            "}\nfor await (const v of g()) v"
        )
        _, value, text = self.error_of(code)
        self.assertEqual(value, "x")
        self.assertRegex(text, r"Cell \d+:2:23")

    def test_json_parse_shows_the_line_of_the_cell(self):
        name, _, text = self.error_of("1;\nJSON.parse('{bad')")
        self.assertEqual((name, self.place(text)[0]), ("SyntaxError", 2))

    def test_callbacks_generators_getters_and_static_blocks(self):
        for code, line in (
            ("[1].map(x => {\n  throw new Error('e') })", 2),
            ("function* g() {\n  throw new Error('e') }\n[...g()]", 2),
            ("async function* g() {\n  throw new Error('e') }\nfor await (const x of g()) x", 2),
            ("const o = { get x(): number {\n  throw new Error('e') } }\no.x", 2),
            ("class S { static {\n  throw new Error('e') } }", 2),
            ("await Promise.all([1].map(async () => {\n  throw new Error('e') }))", 2),
        ):
            with self.subTest(code=code):
                self.assertEqual(self.place(self.error_of(code)[2])[0], line)

    def test_causes_and_aggregates_are_shown(self):
        text = self.error_of("throw new Error('outer', { cause: new TypeError('inner', { cause: 'root' }) "
                             "})")[2]
        for part in ("Error: outer", "[cause]: TypeError: inner", "[cause]: 'root'"):
            self.assertIn(part, text)
        text = self.error_of("await Promise.any([Promise.reject(new Error('one')), Promise.reject(new "
                             "Error('two'))])")[2]
        for part in ("AggregateError", "Error: one", "Error: two"):
            self.assertIn(part, text)

    def test_a_cause_in_a_circle_ends(self):
        text = self.error_of("const round: any = new Error('round'); round.cause = round; throw round")[2]
        self.assertIn("[circular]", text)

    def test_extra_properties_are_shown(self):
        text = self.error_of("throw Object.assign(new Error('no'), { code: 'E_NO', detail: { a: 1 } })")[2]
        self.assertIn("code: 'E_NO'", text)
        self.assertIn("detail: { a: 1 }", text)

    def test_classes_of_errors_give_their_names(self):
        self.assertEqual(self.error_of("class HttpError extends Error {}\nthrow new HttpError('404')")[0],
                         "HttpError")
        name = self.error_of("class Named extends Error { name = 'Custom' }\nthrow new Named('x')")[0]
        self.assertEqual(name, "Custom")
        self.assertEqual(self.error_of("AbortSignal.abort().throwIfAborted()")[0], "AbortError")

    def test_thrown_values_that_are_no_errors(self):
        for value in ("undefined", "null", "'text'", "42", "Symbol(s)", "{ a: 1 }"):
            code = f"throw {value}".replace("Symbol(s)", "Symbol('s')")
            self.assertEqual(self.error_of(code)[1], value)
            self.assertEqual(self.error_of(code.replace("throw ", "await Promise.reject(") + ")")[1], value)

    def test_errors_whose_getters_throw(self):
        for property in ("name", "message", "stack", "code", "cause", "toString"):
            code = (f"const odd = new Error('odd'); Object.defineProperty(odd, '{property}', "
                    "{ enumerable: true, get() { throw new Error('getter') } }); throw odd")
            with self.subTest(property=property):
                self.error_of(code)
        self.error_of("throw new Proxy({}, { get() { throw new Error('trap') }, getPrototypeOf() { throw "
                      "new Error('trap') } })")
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_a_very_long_message_is_shortened(self):
        text = self.error_of("throw new Error('x'.repeat(3_000_000))")[2]
        self.assertLess(len(text), 100_000)
        self.assertIn("more characters", text)

    def test_a_stack_overflow_is_an_error_and_the_kernel_goes_on(self):
        name, value, text = self.error_of("function again(n: number): number {\n  return again(n + 1) + 1 "
                                          "}\nagain(0)")
        self.assertEqual((name, value), ("RangeError", "Maximum call stack size exceeded"))
        self.assertLess(text.count("at again"), 10)
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_an_error_deep_in_a_package_shows_the_line_of_the_cell(self):
        text = self.error_of("import down from 'deep';\ndown(20)")[2]
        self.assertRegex(text, r"Cell \d+:2:1")

    def test_errors_of_local_files_show_their_lines(self):
        name, _, text = self.error_of("import { fail } from './thrower';\nfail()")
        self.assertEqual(name, "RangeError")
        self.assertRegex(text, r"thrower\.ts:2:9")
        self.assertRegex(text, r"Cell \d+:2:1")
        self.assertIn("2 |   throw new RangeError('inside');", text)

    def test_a_local_file_that_does_not_parse(self):
        name, _, text = self.error_of("import { a } from './broken'")
        self.assertEqual(name, "TypeScriptError")
        self.assertRegex(text, r"broken\.ts:2:18 - error TS1109")
        self.assertIn("2 | export const a = ;", text)

    def test_a_package_that_does_not_parse(self):
        name, _, text = self.error_of("1;\nimport bad from 'bad'")
        self.assertEqual(name, "SyntaxError")
        self.assertRegex(text, r"bad/index\.js:2")
        self.assertRegex(text, r"Cell \d+:2:17")

    def test_a_broken_json_file_is_named(self):
        name, value, _ = self.error_of("import broken from './broken.json'")
        self.assertEqual(name, "SyntaxError")
        self.assertIn("broken.json is not valid JSON", value)

    def test_a_missing_package_says_how_to_install_it_and_where(self):
        for code in ("import x from 'not-here/sub'", "require('not-here')",
                     "let n = 'not-here'; await import(n)"):
            with self.subTest(code=code):
                text = self.error_of(code)[2]
                self.assertIn("npm install not-here", text)
                self.assertIn(self.cwd, text)
        self.assertIn("npm install @scope/name", self.error_of("import x from '@scope/name/sub'")[2])
        self.assertNotIn("npm install", self.error_of("import x from './not-here'")[2])

    def test_columns_with_tabs_emoji_windows_lines_and_a_byte_order_mark(self):
        text = self.error_of("\tthrow new Error('tab')")[2]
        self.assertEqual(self.place(text), (1, 8))
        self.assertIn("1 | \tthrow new Error('tab')\n  | \t      ^", text)
        self.assertEqual(self.place(self.error_of("const a = 1;\r\nthrow new Error('crlf')")[2]), (2, 7))
        self.assertEqual(self.place(self.error_of("/* 🍣 */ throw new Error('wide')")[2]), (1, 16))
        self.assertEqual(self.place(self.error_of("\ufeffthrow new Error('bom')")[2])[0], 1)
        self.assertEqual(self.place(self.error_of("#!/usr/bin/env node\nthrow new Error('script')")[2]), (2,
                                                                                                          7))

    def test_lines_of_other_kernels_say_how_it_is_done_here(self):
        for code, advice in (
            ("%pip install numpy", "npm"),
            ("%%bash\nls", "execSync"),
            ("!ls -la", "execSync(\"ls -la\""),
            ("%time f()", "console.time"),
            ("noSuchName?", "Shift+Tab"),
        ):
            with self.subTest(code=code):
                name, value, _ = self.error_of(code)
                self.assertEqual(name, "SyntaxError")
                self.assertIn(advice, value)
        self.assertEqual(self.evaluate("const yes = true;\n!yes"), "false")

    def test_process_exit_says_what_it_does(self):
        name, value, text = self.error_of("1;\nprocess.exit(3)")
        self.assertEqual(name, "SystemExit")
        self.assertIn("ends only this cell", value)
        self.assertEqual(self.place(text)[0], 2)
        self.assertEqual(self.evaluate("'alive'"), "'alive'")

    def test_an_unhandled_rejection_is_shown_before_the_cell_ends(self):
        execution = self.run_cell("void Promise.reject(new Error('nobody cares'))")
        self.assertEqual(execution.status, "ok")
        self.assertIn("Error: nobody cares", execution.text("stderr"))
        self.assertRegex(execution.text("stderr"), r"Cell \d+:1:21")

    def test_exceptions_in_timers_and_events_are_shown_with_their_lines(self):
        for code in (
            "setTimeout(() => {\n  throw new TypeError('late') }, 1)",
            "setImmediate(() => {\n  throw new TypeError('late') })",
            "process.nextTick(() => {\n  throw new TypeError('late') })",
            "queueMicrotask(() => {\n  throw new TypeError('late') })",
            "void (async () => { await null;\n  throw new TypeError('late') })()",
        ):
            with self.subTest(code=code):
                text = self.run_cell(code + "\nawait new Promise(go => setTimeout(go, 50))").text("stderr")
                self.assertTrue(text.startswith("TypeError: late"), text)
                self.assertRegex(text, r"Cell \d+:2:9")
                self.assertNotIn("__k", text)
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_a_late_exception_belongs_to_the_cell_that_made_it(self):
        first = self.run_cell("setTimeout(() => { throw new Error('from the first') }, 100)")
        late = []
        second = self.client.execute("await new Promise(go => setTimeout(go, 400))")
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "stream":
                late.append(message)
            state = message["content"].get("execution_state")
            if message["parent_header"].get("msg_id") == second and state == "idle":
                break
        self.reply_to(second, self.client.get_shell_msg)
        self.assertEqual([m["parent_header"]["msg_id"] for m in late], [first.msg_id])
        self.assertIn("from the first", late[0]["content"]["text"])

    def test_a_traceback_is_plain_lines_that_json_can_carry(self):
        execution = self.run_cell("throw new Error('line one\\nline two')")
        for line in execution.content["traceback"]:
            self.assertIsInstance(line, str)
            self.assertNotIn("\n", line)
        json.dumps(execution.content["traceback"])
        self.assertEqual(execution.content["evalue"], "line one\nline two")
