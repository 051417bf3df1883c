"""What cells print: whole, in order, in few messages, and under the right parent."""

import time

from harness import KernelTestCase

CHILD = "import { execSync, spawnSync, spawn } from 'node:child_process';"
SLEEP = "await new Promise((done) => setTimeout(done, {}));"


class StreamTestCase(KernelTestCase):
    def late(self, text, timeout=60):
        """Waits for text that comes after the cell's end; the id of its parent."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["msg_type"] == "stream" and text in message["content"]["text"]:
                return message["parent_header"].get("msg_id")
        self.fail(f"{text} never came")


class Streams(StreamTestCase):
    def parts(self, execution):
        """Consecutive pieces of one stream joined: (name, text)."""
        joined = []
        for message in execution.messages:
            if message["msg_type"] == "stream":
                name, text = message["content"]["name"], message["content"]["text"]
                if joined and joined[-1][0] == name:
                    joined[-1] = (name, joined[-1][1] + text)
                else:
                    joined.append((name, text))
            elif message["msg_type"] not in ("status", "execute_input"):
                joined.append((message["msg_type"], message["content"]["data"]["text/plain"]))
        return joined

    def test_100_000_lines_arrive_whole_in_order_in_few_messages_before_idle(self):
        execution = self.run_cell("for (let i = 0; i < 100_000; i++) console.log(i)")
        self.assertEqual(execution.text(), "".join(f"{i}\n" for i in range(100_000)))
        self.assertLess(len(execution.of_type("stream")), 100)

    def test_a_loop_of_small_writes_is_joined(self):
        execution = self.run_cell("for (let i = 0; i < 1000; i++) process.stdout.write('x')")
        self.assertEqual(execution.text(), "x" * 1000)
        self.assertLess(len(execution.of_type("stream")), 10)

    def test_output_is_sent_while_the_cell_still_computes(self):
        msg_id = self.client.execute(
            "console.log('now'); const t = Date.now(); while (Date.now() < t + 1500) {}"
        )
        self.assertEqual(self.late("now\n"), msg_id)
        stream_seen = time.monotonic()
        self.iopub_until_idle(msg_id)
        self.assertGreater(time.monotonic() - stream_seen, 0.5)
        self.reply_to(msg_id, self.client.get_shell_msg)

    def test_10_mb_in_one_write_arrive_whole(self):
        execution = self.run_cell("process.stdout.write('é'.repeat(5_000_000))")
        self.assertEqual(execution.text(), "é" * 5_000_000)

    def test_stdout_stderr_and_displays_keep_their_order(self):
        execution = self.run_cell(
            "console.log('a'); console.error('b'); display.text('c'); console.log('d'); console.log('e');"
            "display.text('f'); console.error('g'); 'h'"
        )
        self.assertEqual(
            self.parts(execution),
            [("stdout", "a\n"), ("stderr", "b\n"), ("display_data", "c"), ("stdout", "d\ne\n"),
             ("display_data", "f"), ("stderr", "g\n"), ("execute_result", "'h'")],
        )

    def test_write_reports_success_and_calls_back(self):
        execution = self.run_cell(
            "const returned = process.stdout.write('w');"
            "await new Promise<void>((done) => process.stdout.write('x', () => done()));"
            "await new Promise<void>((done) => process.stderr.write('y', 'utf8', () => done()));"
            "await new Promise<void>((done) => process.stdout.write(Buffer.from('z'), () => done()));"
            "returned"
        )
        self.assertEqual((execution.text(), execution.text("stderr")), ("wxz", "y"))
        self.assertEqual(execution.result, "true")

    def test_encodings_of_write_are_kept(self):
        execution = self.run_cell(
            "process.stdout.write('c3a9', 'hex'); process.stdout.write('w6g=', 'base64')"
        )
        self.assertEqual(execution.text(), "éè")

    def test_characters_split_over_writes_are_whole(self):
        execution = self.run_cell(
            "const sushi = Buffer.from('🍣é');"
            "for (const byte of sushi) process.stdout.write(Buffer.from([byte]))"
        )
        self.assertEqual(execution.text(), "🍣é")

    def test_what_is_no_text_is_refused_as_in_node(self):
        for value, code in (("null", "ERR_STREAM_NULL_VALUES"), ("5", "ERR_INVALID_ARG_TYPE")):
            execution = self.run_cell(
                f"try {{ process.stdout.write({value} as any) }}"
                "catch (error: any) { console.log(error.name, error.code) }"
            )
            self.assertEqual(execution.text(), f"TypeError {code}\n")

    def test_ticks_and_promise_callbacks_that_a_cell_leaves_behind_print_before_idle(self):
        execution = self.run_cell(
            "process.nextTick(() => console.log('tick')); queueMicrotask(() => console.log('microtask'));"
            "void Promise.resolve().then(() => {}).then(() => console.log('then')); 0"
        )
        self.assertEqual(sorted(execution.text().split()), ["microtask", "then", "tick"])

    def test_streams_can_be_piped_into_stdout(self):
        execution = self.run_cell(
            "import { Readable } from 'node:stream'; import { pipeline } from 'node:stream/promises';"
            "await pipeline(Readable.from(['p', 'q']), process.stdout, { end: false });"
            "process.stdout.writable"
        )
        self.assertEqual((execution.text(), execution.result), ("pq", "true"))

    def test_ending_stdout_does_not_silence_the_kernel(self):
        self.run_cell("process.stdout.end('last')")
        self.assertEqual(self.run_cell("console.log('after')").text(), "after\n")

    def test_stdout_is_no_terminal(self):
        found = self.evaluate("[Boolean(process.stdout.isTTY), process.stdout.fd, process.stderr.fd]")
        self.assertEqual(found, "[ false, 1, 2 ]")

    def test_the_methods_of_console_write_as_in_node(self):
        for code, out, err in (
            ("console.log('%s is %d', 'x', 5, { a: 1 })", "x is 5 { a: 1 }\n", ""),
            ("console.info('i'); console.debug('d')", "i\nd\n", ""),
            ("console.warn('w'); console.error('e')", "", "w\ne\n"),
            ("console.group('g'); console.log('in\\nner'); console.groupEnd(); console.log('out')",
             "g\n  in\n  ner\nout\n", ""),
            ("console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 0 })", "{ a: [Object] }\n", ""),
            ("console.count(); console.count()", "default: 1\ndefault: 2\n", ""),
            ("console.assert(false, 'no')", "", "Assertion failed: no\n"),
            ("console.log()", "\n", ""),
        ):
            with self.subTest(code):
                execution = self.run_cell(code)
                self.assertEqual((execution.text(), execution.text("stderr")), (out, err))

    def test_console_table_draws_a_table(self):
        text = self.run_cell("console.table([{ a: 1, b: 'x' }])").text()
        for part in ("┌", "(index)", "a", "b", "'x'"):
            self.assertIn(part, text)

    def test_console_time_and_trace_write(self):
        self.assertRegex(self.run_cell("console.time('t'); console.timeEnd('t')").text(), r"^t: [\d.]+m?s")
        self.assertIn("Trace: here", self.run_cell("console.trace('here')").text("stderr"))

    def test_writes_to_the_descriptors_are_shown(self):
        execution = self.run_cell(
            "import fs from 'node:fs'; fs.writeSync(1, 'out\\n'); fs.writeSync(2, 'err\\n'); 0"
        )
        self.assertEqual((execution.text(), execution.text("stderr")), ("out\n", "err\n"))

    def test_writes_to_the_descriptors_keep_their_place_among_the_others(self):
        execution = self.run_cell(
            "import fs from 'node:fs'; for (let i = 0; i < 20; i++) {"
            "console.log(`js ${i}`); fs.writeSync(1, `fd ${i}\\n`); fs.writeFileSync(1, `file ${i}\\n`); }"
        )
        self.assertEqual(execution.text(), "".join(f"js {i}\nfd {i}\nfile {i}\n" for i in range(20)))

    def test_child_processes_that_inherit_are_shown(self):
        execution = self.run_cell(
            CHILD + "spawnSync('sh', ['-c', 'echo one; echo two >&2'], { stdio: 'inherit' });"
            "execSync('echo three', { stdio: [0, 1, 2] }); 0"
        )
        self.assertEqual((execution.text(), execution.text("stderr")), ("one\nthree\n", "two\n"))

    def test_child_processes_keep_their_place_among_the_prints(self):
        execution = self.run_cell(
            CHILD + "for (let i = 0; i < 10; i++) { console.log(`before ${i}`);"
            "execSync(`echo child ${i}`, { stdio: 'inherit' }); console.log(`after ${i}`); }"
        )
        self.assertEqual(execution.text(), "".join(f"before {i}\nchild {i}\nafter {i}\n" for i in range(10)))

    def test_a_child_process_that_is_not_waited_for_is_shown(self):
        execution = self.run_cell(
            CHILD + "const child = spawn('sh', ['-c', 'echo out; echo err >&2'], { stdio: 'inherit' });"
            "const code = await new Promise((done) => child.on('close', done));"
            "[code, child.stdout, child.stderr]"
        )
        self.assertEqual((execution.text(), execution.text("stderr")), ("out\n", "err\n"))
        self.assertEqual(execution.result, "[ 0, null, null ]")

    def test_10_mb_of_a_child_process_arrive_whole(self):
        for run in (
            "execSync(command, { stdio: 'inherit' })",
            "const child = spawn(command, { shell: true, stdio: 'inherit' });"
            "await new Promise((done) => child.on('close', done))",
        ):
            with self.subTest(run):
                execution = self.run_cell(
                    CHILD + "const command = `head -c 10000000 /dev/zero | tr '\\\\0' x`;" + run + "; 0"
                )
                self.assertEqual(len(execution.text()), 10_000_000)
                self.assertEqual(set(execution.text()), {"x"})

    def test_what_a_child_process_pipes_is_not_shown(self):
        execution = self.run_cell(CHILD + "String(execSync('echo quiet'))")
        self.assertEqual((execution.text(), execution.result), ("", "'quiet\\n'"))

    def test_output_of_a_worker_is_shown(self):
        execution = self.run_cell(
            "import { Worker } from 'node:worker_threads';"
            "const worker = new Worker(`console.log('from a worker')`, { eval: true });"
            "await new Promise((done) => worker.on('exit', done));"
            + SLEEP.format(100)
        )
        self.assertEqual(execution.text(), "from a worker\n")

    def test_everything_printed_comes_before_idle(self):
        for _ in range(10):
            self.assertEqual(self.run_cell("console.log('x'); process.stdout.write('y')").text(), "x\ny")


class LateOutput(StreamTestCase):
    """Output after its cell has ended keeps the cell as its parent, also while another one runs."""

    def assert_late(self, code):
        cell = self.run_cell(code)
        self.assertEqual(cell.status, "ok", cell.content.get("evalue"))
        other = self.client.execute("await new Promise((r) => setTimeout(r, 900)); console.log('other')")
        self.assertEqual(self.late("late"), cell.msg_id)
        self.assertEqual(self.finished(other).text(), "other\n")

    def test_of_a_timer(self):
        self.assert_late("setTimeout(() => console.log('late'), 300); 0")

    def test_of_a_chain_of_timers(self):
        self.assert_late(
            "setTimeout(() => setTimeout(() => setImmediate(() => console.log('late')), 150), 150); 0"
        )

    def test_of_an_async_function(self):
        self.assert_late(f"void (async () => {{ {SLEEP.format(300)} console.log('late'); }})(); 0")

    def test_of_a_promise_chain(self):
        self.assert_late(
            "void new Promise<void>((done) => setTimeout(done, 300))"
            ".then(() => {}).then(() => console.log('late')); 0"
        )

    def test_of_a_promise_of_node(self):
        self.assert_late(
            "import { setTimeout as delay } from 'node:timers/promises';"
            "void delay(300).then(() => {}).finally(() => console.log('late')); 0"
        )

    def test_of_a_child_process(self):
        self.assert_late(CHILD + "spawn('sh', ['-c', 'sleep 0.4; echo late'], { stdio: 'inherit' }); 0")

    def test_of_an_event_of_a_child_process(self):
        self.assert_late(CHILD + "spawn('sleep', ['0.4']).on('exit', () => console.log('late')); 0")

    def test_of_a_display(self):
        cell = self.run_cell("setTimeout(() => display.text('late display'), 300); 0")
        other = self.client.execute("await new Promise((done) => setTimeout(done, 800))")
        messages = self.iopub_until_idle_of_any(other)
        shown = [m for m in messages if m["msg_type"] == "display_data"]
        self.assertEqual([m["parent_header"]["msg_id"] for m in shown], [cell.msg_id])
        self.reply_to(other, self.client.get_shell_msg)

    def iopub_until_idle_of_any(self, msg_id):
        messages = []
        while True:
            messages.append(self.client.get_iopub_msg(timeout=60))
            state = messages[-1]["content"].get("execution_state")
            if state == "idle" and messages[-1]["parent_header"].get("msg_id") == msg_id:
                return messages

    def test_of_a_worker(self):
        self.assert_late(
            "import { Worker } from 'node:worker_threads';"
            "new Worker(`setTimeout(() => console.log('late'), 300)`, { eval: true }); 0"
        )

    def test_of_a_message_of_a_worker(self):
        self.assert_late(
            "import { Worker } from 'node:worker_threads';"
            "const post = 'require(\\'worker_threads\\').parentPort.postMessage';"
            "const source = `setTimeout(() => ${post}('late'), 300)`;"
            "new Worker(source, { eval: true }).on('message', (text) => console.log(text)); 0"
        )

    def test_of_an_exception_in_a_timer(self):
        self.assert_late("setTimeout(() => { throw new Error('late') }, 300); 0")

    def test_of_a_rejected_promise(self):
        self.assert_late("setTimeout(() => { void Promise.reject(new Error('late')) }, 300); 0")
