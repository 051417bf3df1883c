"""execute_request: what a cell publishes and replies."""

from harness import KernelTestCase


class Execute(KernelTestCase):
    def test_result_is_an_execute_result(self):
        execution = self.run_cell("1 + 1")
        self.assertEqual(execution.types(), ["execute_input", "execute_result"])
        self.assertEqual(execution.result, "2")
        self.assertEqual(execution.status, "ok")
