"""Questions to the reader: input(), prompt(), passwords, interrupts."""

import queue
import time

from harness import KernelTestCase


class Stdin(KernelTestCase):
    def ask(self, code, **options):
        """Starts a cell that asks; the id of the cell and its question."""
        msg_id = self.client.execute(code, allow_stdin=True, **options)
        return msg_id, self.client.get_stdin_msg(timeout=60)

    def interrupt(self):
        self.request("interrupt_request", {}, channel="control")

    def test_input_asks_and_resolves_to_the_answer(self):
        msg_id, request = self.ask("const name = await input('Name? '); name.length + name")
        self.assertEqual(request["msg_type"], "input_request")
        self.assertEqual(request["content"], {"prompt": "Name? ", "password": False})
        self.assertEqual(request["parent_header"]["msg_id"], msg_id)
        self.client.input("Zoë 🍣")
        self.assertEqual(self.finished(msg_id).result, "'6Zoë 🍣'")

    def test_prompt_asks_and_returns_the_answer(self):
        msg_id, request = self.ask("const typed = prompt('Enter: '); `<${typed}>`")
        self.assertEqual(request["content"], {"prompt": "Enter: ", "password": False})
        self.client.input("text")
        self.assertEqual(self.finished(msg_id).result, "'<text>'")

    def test_a_password_is_asked_for_as_such(self):
        msg_id, request = self.ask("await input('Secret? ', { password: true })")
        self.assertEqual(request["content"], {"prompt": "Secret? ", "password": True})
        self.client.input("s3cret")
        self.assertEqual(self.finished(msg_id).result, "'s3cret'")

    def test_the_question_may_be_left_out(self):
        msg_id, request = self.ask("await input()")
        self.assertEqual(request["content"]["prompt"], "")
        self.client.input("")
        self.assertEqual(self.finished(msg_id).result, "''")

    def test_questions_follow_one_another(self):
        msg_id, first = self.ask("[await input('1'), prompt('2'), await input('3')].join()")
        prompts = [first["content"]["prompt"]]
        for answer in ("a", "b", "c"):
            self.client.input(answer)
            if answer != "c":
                prompts.append(self.client.get_stdin_msg(timeout=60)["content"]["prompt"])
        self.assertEqual(prompts, ["1", "2", "3"])
        self.assertEqual(self.finished(msg_id).result, "'a,b,c'")

    def test_questions_asked_at_once_are_asked_in_turn(self):
        msg_id, first = self.ask("(await Promise.all([input('x'), input('y')])).join()")
        self.client.input("1")
        second = self.client.get_stdin_msg(timeout=60)
        self.client.input("2")
        self.assertEqual([first["content"]["prompt"], second["content"]["prompt"]], ["x", "y"])
        self.assertEqual(self.finished(msg_id).result, "'1,2'")

    def test_output_before_a_question_is_there_when_it_is_asked(self):
        msg_id, _ = self.ask("console.log('first'); prompt('then')")
        messages = []
        while not any(m["msg_type"] == "stream" for m in messages):
            messages.append(self.client.get_iopub_msg(timeout=60))
        self.client.input("x")
        self.reply_to(msg_id, self.client.get_shell_msg)
        self.iopub_until_idle(msg_id)

    def test_a_client_that_takes_no_input_is_not_asked(self):
        for code in ("await input('?')", "prompt('?')"):
            execution = self.run_cell(code, allow_stdin=False)
            self.assertEqual(execution.status, "error")
            self.assertIn("allow_stdin", execution.content["evalue"])
        with self.assertRaises(queue.Empty):
            self.client.get_stdin_msg(timeout=0.2)

    def test_an_error_because_of_no_input_can_be_caught(self):
        execution = self.run_cell("try { await input('?') } catch (error) { 'caught' }", allow_stdin=False)
        self.assertEqual(execution.status, "ok")

    def test_an_interrupted_question_ends_the_cell(self):
        for code in ("await input('stop me')", "prompt('stop me')"):
            with self.subTest(code):
                msg_id, _ = self.ask(code)
                self.interrupt()
                self.assertEqual(self.finished(msg_id).content["ename"], "KeyboardInterrupt")
        self.assertEqual(self.evaluate("1 + 1"), "2")

    def test_the_answer_to_an_interrupted_question_is_not_taken_for_the_next(self):
        for code in ("await input('{}')", "prompt('{}')"):
            with self.subTest(code):
                interrupted, old = self.ask(code.format("old"))
                self.interrupt()
                self.finished(interrupted)
                self.client.input("too late")
                time.sleep(0.2)
                msg_id, new = self.ask(code.format("new"))
                self.assertEqual(new["content"]["prompt"], "new")
                # JupyterLab names the question that it answers; this one is over.
                self.send_reply("stale", old["header"])
                self.send_reply("fresh", new["header"])
                self.assertEqual(self.finished(msg_id).result, "'fresh'")

    def send_reply(self, value, parent):
        session = self.client.session
        message = session.msg("input_reply", {"value": value, "status": "ok"}, parent=parent)
        self.client.stdin_channel.send(message)

    def test_a_reply_that_nobody_asked_for_is_ignored(self):
        self.client.input("unasked")
        time.sleep(0.2)
        msg_id, _ = self.ask("await input('asked')")
        self.client.input("answer")
        self.assertEqual(self.finished(msg_id).result, "'answer'")

    def test_malformed_replies_do_no_harm(self):
        channel, session = self.client.stdin_channel, self.client.session
        for content in ({}, {"value": None}, {"value": {"toString": 1}}, {"value": 5}):
            msg_id, _ = self.ask("await input('?')")
            channel.send(session.msg("input_reply", content))
            self.assertEqual(self.finished(msg_id).status, "ok", content)
        channel.send(session.msg("strange_reply", {}))
        msg_id, _ = self.ask("await input('?')")
        self.client.input("still here")
        self.assertEqual(self.finished(msg_id).result, "'still here'")

    def test_a_question_after_the_end_of_the_cell_fails(self):
        msg_id, _ = self.ask("setTimeout(() => input('late').catch(() => {}), 200); await input()")
        self.client.input("go on")
        self.finished(msg_id)
        waiting = self.run_cell("await new Promise((done) => setTimeout(done, 500))")
        self.assertEqual(waiting.status, "ok")
        with self.assertRaises(queue.Empty):
            self.client.get_stdin_msg(timeout=0.2)

    def test_an_unanswered_question_does_not_outlive_its_cell(self):
        msg_id, _ = self.ask("void input('left alone').catch(() => {}); 'done'")
        self.assertEqual(self.finished(msg_id).result, "'done'")
        msg_id, request = self.ask("await input('next')")
        self.assertEqual(request["content"]["prompt"], "next")
        self.client.input("n")
        self.assertEqual(self.finished(msg_id).result, "'n'")

    def test_a_long_answer_arrives_whole(self):
        for code in ("(await input()).length", "prompt()!.length"):
            msg_id, _ = self.ask(code)
            self.client.input("x" * 1_000_000)
            self.assertEqual(self.finished(msg_id).result, "1000000")

    def test_control_answers_while_a_question_is_open(self):
        for code in ("await input('?')", "prompt('?')"):
            msg_id, _ = self.ask(code)
            self.assertEqual(self.request("kernel_info_request", {}, "control")["content"]["status"], "ok")
            self.client.input("x")
            self.finished(msg_id)
