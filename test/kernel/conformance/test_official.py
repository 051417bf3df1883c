"""jupyter_kernel_test, Jupyter's own suite for any kernel, with a sample for every part that the protocol has.

`npm run conformance` fetches the suite. Where it is missing, that is skipped at a desk and a failure under CI=true.
"""

import inspect
import os
import unittest
from unittest import mock

from harness import KERNEL_NAME
from jupyter_client.utils import run_sync

try:
    import jupyter_kernel_test
except ImportError:

    class OfficialSuite(unittest.TestCase):
        def test_jupyter_kernel_test_is_installed(self):
            if os.environ.get("CI") == "true":
                self.fail("jupyter_kernel_test is not installed")
            self.skipTest("jupyter_kernel_test is not installed")

else:

    def to_sync(function):
        return run_sync(function) if inspect.iscoroutinefunction(function) else function

    # Releases before 0.5 hand functions that are no coroutines to run_sync, which newer ones of jupyter_core refuse.
    jupyter_kernel_test.run_sync = to_sync

    # The inputs of a test do not belong into the history of whoever runs it.
    without_history = mock.patch.dict(os.environ, {"PERSIMMON_KERNEL_HISTORY": ""})

    class OfficialSuite(jupyter_kernel_test.KernelTests):
        kernel_name = KERNEL_NAME
        language_name = "typescript"
        file_extension = ".ts"

        code_hello_world = 'console.log("hello, world")'
        code_stderr = 'console.error("to the error stream")'
        completion_samples = [
            {"text": "Math.hypo", "matches": ["hypot"]},
            {"text": "Number.isSafeI", "matches": ["isSafeInteger"]},
            {"text": "[1].find"},
        ]
        complete_code_samples = ["1", "const a: number = 1", "function f() {\n  return 1;\n}", "// note", ""]
        incomplete_code_samples = ["function f() {", "const b = [1,", "if (true) {", "`begun", "1 +", "/* begun"]
        invalid_code_samples = ["const = 1", "1 2", "let x = ;", "}"]
        code_generate_error = 'throw new TypeError("meant")'
        code_execute_result = [
            {"code": "6 * 7", "result": "42"},
            {"code": '"a".repeat(3)', "result": "'aaa'"},
            {"code": "[1, 2]", "result": "[ 1, 2 ]"},
            {"code": "await Promise.resolve(1.5)", "result": "1.5"},
        ]
        code_display_data = [
            {"code": 'display.html("<b>bold</b>")', "mime": "text/html"},
            {"code": 'display.markdown("# title")', "mime": "text/markdown"},
            {"code": 'display.svg("<svg/>")', "mime": "image/svg+xml"},
            {"code": "display.json({ a: 1 })", "mime": "application/json"},
            {"code": "display({ a: 1 })", "mime": "text/plain"},
        ]
        # Only one of the results' inputs has it, and the suite runs each of them often.
        code_history_pattern = "6 ? 7"
        supported_history_operations = ("tail", "range", "search")
        code_inspect_sample = "parseInt"
        code_clear_output = "display.clear()"
        # Page payloads are deprecated, but JupyterLab still shows them.
        code_page_something = "Math.max?"

        @classmethod
        def setUpClass(cls):
            with without_history:
                super().setUpClass()

    if hasattr(jupyter_kernel_test, "IopubWelcomeTests"):  # from 0.7 on

        class OfficialWelcome(jupyter_kernel_test.IopubWelcomeTests):
            kernel_name = KERNEL_NAME
            support_iopub_welcome = True

            @classmethod
            def setUpClass(cls):
                with without_history:
                    super().setUpClass()
