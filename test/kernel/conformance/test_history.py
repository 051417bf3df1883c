"""history_request, and the file that outlives the kernel."""

import os
import tempfile

from harness import KernelTestCase, start_kernel


class History(KernelTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.first = cls.client.execute_interactive("'alpha'", timeout=60)["content"]["execution_count"]
        for code in ("2 * 21", "'beta'", "'alpha'", "const silent = 1"):
            cls.client.execute_interactive(code, timeout=60)

    def ask(self, kind, **content):
        request = {"hist_access_type": kind, "raw": True, "output": False, **content}
        content = self.request("history_request", request)["content"]
        self.assertEqual(content["status"], "ok")
        return content["history"]

    def inputs(self, kind, **content):
        return [entry[2] for entry in self.ask(kind, **content)]

    def test_tail_gives_the_last_inputs_oldest_first(self):
        self.assertEqual(self.inputs("tail", n=3), ["'beta'", "'alpha'", "const silent = 1"])

    def test_an_entry_is_session_line_and_input(self):
        session, line, source = self.ask("tail", n=1)[0]
        self.assertIsInstance(session, int)
        self.assertEqual((line, source), (self.first + 4, "const silent = 1"))

    def test_with_output_the_input_comes_as_a_pair(self):
        entries = self.ask("range", session=0, start=self.first + 1, stop=self.first + 2, output=True)
        self.assertEqual([entry[2] for entry in entries], [["2 * 21", "42"]])

    def test_with_output_an_input_without_result_has_null(self):
        self.assertEqual(self.ask("tail", n=1, output=True)[0][2], ["const silent = 1", None])

    def test_range_begins_at_start_and_ends_before_stop(self):
        found = self.inputs("range", session=0, start=self.first, stop=self.first + 2)
        self.assertEqual(found, ["'alpha'", "2 * 21"])

    def test_range_without_stop_goes_to_the_end(self):
        found = self.inputs("range", session=0, start=self.first + 3)
        self.assertEqual(found, ["'alpha'", "const silent = 1"])

    def test_range_of_a_session_that_never_was_is_empty(self):
        self.assertEqual(self.ask("range", session=999_999, start=0, stop=100), [])

    def test_search_takes_a_glob(self):
        self.assertEqual(self.inputs("search", pattern="2*", n=10), ["2 * 21"])
        self.assertEqual(self.inputs("search", pattern="*be?a*", n=10), ["'beta'"])
        self.assertEqual(self.inputs("search", pattern="no such thing", n=10), [])

    def test_search_takes_character_classes(self):
        self.assertEqual(self.inputs("search", pattern="[0-9] [*] [0-9]*", n=10), ["2 * 21"])

    def test_search_gives_at_most_n_the_newest(self):
        self.assertEqual(self.inputs("search", pattern="'*'", n=2), ["'beta'", "'alpha'"])

    def test_unique_gives_each_input_once_the_newest(self):
        found = self.ask("search", pattern="'*'", n=10, unique=True)
        self.assertEqual([entry[2] for entry in found], ["'beta'", "'alpha'"])
        self.assertEqual(found[1][1], self.first + 3)

    def test_cells_that_store_no_history_are_not_in_it(self):
        self.run_cell("'not stored'", store_history=False)
        self.run_cell("'not stored either'", silent=True)
        self.assertEqual(self.inputs("search", pattern="*not stored*", n=10), [])

    def test_an_unknown_kind_is_answered(self):
        self.assertEqual(self.ask("strange", n=5), [])

    def test_history_is_answered_on_control_too(self):
        reply = self.request("history_request", {"hist_access_type": "tail", "n": 1}, channel="control")
        self.assertEqual(len(reply["content"]["history"]), 1)


class HistoryFile(KernelTestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.file = os.path.join(cls.folder.name, "deep", "history.jsonl")
        cls.extra_env = {"PERSIMMON_KERNEL_HISTORY": cls.file}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    def ask(self, **content):
        request = {"raw": True, "output": False, **content}
        return self.request("history_request", request)["content"]["history"]

    def restart(self):
        """Replaces the kernel by a new one, as JupyterLab's restart does."""
        cls = type(self)
        cls.client.stop_channels()
        cls.manager.shutdown_kernel(now=False)
        cls.manager.cleanup_resources()
        cls.manager, cls.client = start_kernel(extra_env=self.extra_env)

    def test_inputs_survive_a_restart_and_damage_to_the_file(self):
        self.run_cell("'before the restart'\n// second line: é 🍣")
        self.restart()
        tail = self.ask(hist_access_type="tail", n=1)
        self.assertEqual(tail[0][2], "'before the restart'\n// second line: é 🍣")
        self.run_cell("'after the restart'")
        self.assertGreater(self.ask(hist_access_type="tail", n=1)[0][0], tail[0][0])
        previous = self.ask(hist_access_type="range", session=-1, start=0)
        self.assertEqual(previous[-1][2], tail[0][2])
        with open(self.file, "a", encoding="utf8") as file:
            file.write('[1, 2, "cut off')
        self.restart()
        found = self.ask(hist_access_type="search", pattern="*restart*", n=10)
        self.assertEqual([entry[2] for entry in found], [tail[0][2], "'after the restart'"])

    def test_a_very_long_input_is_not_written_to_the_file(self):
        self.run_cell("'short'")
        self.run_cell(f"// {'x' * 100_000}")
        self.assertEqual(len(self.ask(hist_access_type="tail", n=1)[0][2]), 100_003)
        with open(self.file, encoding="utf8") as file:
            self.assertLess(max(map(len, file), default=0), 100_000)

    def test_the_file_is_for_its_owner_only(self):
        self.run_cell("'private'")
        self.assertEqual(os.stat(self.file).st_mode & 0o077, 0)
