"""Many cells at once: order, counts, and what an error does to those that wait."""

import json
import os
import tempfile

from harness import KernelTestCase
from jupyter_client import BlockingKernelClient


class Queue(KernelTestCase):
    def execute_all(self, codes, **options):
        """Executes cells that all wait in the kernel's queue before the first of them begins.

        They wait behind a cell that ends when a file appears. What has been sent need not have arrived: on a busy
        machine a first cell has failed before the last is in the queue.
        """
        gate = os.path.join(tempfile.mkdtemp(dir=self.own_folder), "open")
        waiting = f"while (!(await import('node:fs')).existsSync({json.dumps(gate)})) {{"
        waiting += " await new Promise((done) => setTimeout(done, 5)); }"
        gated = self.client.execute(waiting, store_history=False)
        ids = [self.client.execute(code, **options) for code in codes]
        # Answered at once, and after everything that came before it over the same socket.
        self.request("kernel_info_request", {})
        with open(gate, "w", encoding="utf-8"):
            pass
        self.assertEqual(self.finished(gated).status, "ok")
        return [self.finished(msg_id) for msg_id in ids]

    def test_200_cells_queued_at_once_run_in_order(self):
        first = self.run_cell("const order: number[] = []; 0").content["execution_count"]
        executions = self.execute_all([f"order.push({i}); console.log({i}); {i}" for i in range(200)])
        for i, execution in enumerate(executions):
            self.assertEqual(execution.status, "ok")
            self.assertEqual(execution.content["execution_count"], first + 1 + i)
            self.assertEqual((execution.text(), execution.result), (f"{i}\n", str(i)))
            self.assertEqual(execution.types(), ["execute_input", "stream", "execute_result"])
        self.assertEqual(self.evaluate("order.every((n, i) => n === i) && order.length"), "200")

    def test_1000_quick_cells_are_all_answered(self):
        self.assertEqual({e.status for e in self.execute_all(["0"] * 1000)}, {"ok"})

    def test_a_queued_cell_becomes_busy_only_when_it_starts(self):
        ids = [self.client.execute("await new Promise((done) => setTimeout(done, 50))") for _ in range(3)]
        states = []
        while len(states) < 6:
            message = self.client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "status" and message["parent_header"].get("msg_id") in ids:
                index = ids.index(message["parent_header"]["msg_id"])
                states.append((index, message["content"]["execution_state"]))
        self.assertEqual(states, [(i, state) for i in range(3) for state in ("busy", "idle")])

    def test_an_error_aborts_the_cells_that_wait(self):
        before = self.run_cell("globalThis.ran = 0").content["execution_count"]
        failed, *aborted = self.execute_all(["throw new Error('stop')"] + ["(globalThis as any).ran++"] * 5)
        self.assertEqual(failed.status, "error")
        self.assertEqual(failed.content["execution_count"], before + 1)
        for execution in aborted:
            self.assertEqual(execution.status, "aborted")
            states = [m["content"]["execution_state"] for m in execution.of_type("status")]
            self.assertEqual((states, execution.types()), (["busy", "idle"], []))
        self.assertEqual(self.evaluate("(globalThis as any).ran"), "0")

    def test_aborted_cells_are_not_counted(self):
        failed, *_ = self.execute_all(["throw new Error('stop')"] + ["1"] * 5)
        count = failed.content["execution_count"]
        self.assertEqual(self.run_cell("1").content["execution_count"], count + 1)

    def test_code_that_does_not_compile_aborts_the_cells_that_wait(self):
        failed, waiting = self.execute_all(["const wrong: number = 'text'", "1"])
        self.assertEqual((failed.status, waiting.status), ("error", "aborted"))

    def test_stop_on_error_false_lets_the_others_run(self):
        failed, *others = self.execute_all(["throw new Error('go on')", "1", "2"], stop_on_error=False)
        self.assertEqual((failed.status, [e.status for e in others]), ("error", ["ok", "ok"]))

    def test_a_cell_sent_after_the_error_is_known_runs(self):
        for _ in range(5):
            self.assertEqual(self.run_cell("throw new Error('alone')").status, "error")
            self.assertEqual(self.run_cell("1").status, "ok")

    def test_a_silent_error_aborts_too(self):
        failed, waiting = self.execute_all(["throw new Error('x')", "1"], silent=True)
        self.assertEqual((failed.status, waiting.status), ("error", "aborted"))

    def test_other_requests_that_wait_are_answered_after_an_error(self):
        failing = self.client.execute("await new Promise((r) => setTimeout(r, 300)); throw new Error('x')")
        self.client.execute("1")
        self.assertEqual(self.request("kernel_info_request", {})["content"]["status"], "ok")
        self.assertEqual(self.finished(failing).status, "error")


class SeveralClients(KernelTestCase):
    def setUp(self):
        # A client of its own session: manager.client() would share the routing identity of the first.
        self.other = BlockingKernelClient(connection_file=self.manager.connection_file)
        self.other.load_connection_file()
        self.other.start_channels()
        self.other.wait_for_ready(timeout=60)
        self.addCleanup(self.other.stop_channels)

    def test_replies_go_to_the_client_that_asked(self):
        mine = [self.client.execute(f"'mine {i}'") for i in range(10)]
        theirs = [self.other.execute(f"'theirs {i}'") for i in range(10)]
        for ids, client in ((mine, self.client), (theirs, self.other)):
            replies = [client.get_shell_msg(timeout=60) for _ in ids]
            self.assertEqual([r["parent_header"]["msg_id"] for r in replies], ids)
            self.assertEqual({r["parent_header"]["session"] for r in replies}, {client.session.session})

    def test_both_clients_see_what_a_cell_publishes(self):
        msg_id = self.client.execute("console.log('for all'); 5")
        for client in (self.client, self.other):
            messages = self.iopub_until_idle(msg_id, client)
            self.assertEqual(
                [m["msg_type"] for m in messages],
                ["status", "execute_input", "stream", "execute_result", "status"],
            )
        self.client.get_shell_msg(timeout=60)

    def test_a_question_goes_to_the_client_whose_cell_asks(self):
        msg_id = self.other.execute("await input('who? ')", allow_stdin=True)
        request = self.other.get_stdin_msg(timeout=60)
        self.assertEqual(request["parent_header"]["msg_id"], msg_id)
        self.client.input("not asked")  # of a client that nobody asked
        self.other.input("asked")
        self.assertEqual(self.finished(msg_id, self.other).result, "'asked'")
