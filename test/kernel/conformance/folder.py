"""A kernel in a folder of its own that tests may write files into."""

import shutil
import tempfile
from pathlib import Path

from harness import KernelTestCase


class FolderTestCase(KernelTestCase):
    """`files` are there before the kernel starts; `write` adds more."""

    files = {}

    @classmethod
    def setUpClass(cls):
        cls.cwd = tempfile.mkdtemp(prefix="kernel-folder-")
        for path, text in cls.files.items():
            cls.write(path, text)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.cwd, ignore_errors=True)

    @classmethod
    def write(cls, path, text):
        file = Path(cls.cwd, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf8")

    def error_of(self, code):
        """Runs a cell that must fail; its error as (name, value, traceback as one text)."""
        execution = self.run_cell(code)
        self.assertEqual(execution.status, "error", f"{code!r} did not fail: {execution.result}")
        published = execution.of_type("error")
        self.assertEqual(len(published), 1)
        content = published[0]["content"]
        for key in ("ename", "evalue", "traceback"):
            self.assertEqual(content[key], execution.content[key])
        return content["ename"], content["evalue"], "\n".join(content["traceback"])
