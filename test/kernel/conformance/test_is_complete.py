"""is_complete_request."""

from harness import KernelTestCase


class IsComplete(KernelTestCase):
    def check(self, status, *codes):
        for code in codes:
            with self.subTest(code=code):
                self.assertEqual(self.request("is_complete_request", {"code": code})["content"]["status"],
                                 status)

    def indent(self, code):
        content = self.request("is_complete_request", {"code": code})["content"]
        self.assertEqual(content["status"], "incomplete", code)
        return content["indent"]

    def test_what_can_run_is_complete(self):
        self.check("complete", "1 + 1", "", "  \n", "if (x) { 1 }", "{ a: 1 }", "// comment",
                   "function f() {\n  return 1\n}\n",
                   "await f()", "`a ${b} c`", "for (const a of b) a", "@d class A {}", "if (a) 1\nelse 2")

    def test_open_brackets_are_incomplete(self):
        self.check("incomplete", "foo(", "foo(1,", "[1, 2", "{ a: 1,", "if (x) {", "class A {\n  m() {",
                   "import {", "f<")

    def test_open_templates_and_comments_are_incomplete(self):
        self.check("incomplete", "`abc", "`abc ${", "`a ${x} b", "/* comment", "/** doc")

    def test_trailing_operators_and_keywords_are_incomplete(self):
        self.check("incomplete", "a +", "a &&", "const x =", "a.", "x ? 1 :", "let a,", "() =>",
                   "if (x) 1\nelse", "const",
                   "import { a } from", "throw", "new", "try { }", "while (true)", "type T =", "@decorator")

    def test_what_no_further_line_can_mend_is_invalid(self):
        self.check("invalid", "a b", ")", "}", "foo)", "let a = ;", "1 +* 2", "'abc", "/abc", "else")

    def test_the_indent_follows_open_brackets_and_the_line_above(self):
        self.assertEqual(self.indent("if (x) {"), "  ")
        self.assertEqual(self.indent("if (x) {\n  y"), "  ")
        self.assertEqual(self.indent("class A {\n  m() {"), "    ")
        self.assertEqual(self.indent("foo(1,"), "  ")
        self.assertEqual(self.indent("if (x) {\n\tif (y) {"), "\t\t")
        self.assertEqual(self.indent("a +"), "")

    def test_only_an_incomplete_cell_has_an_indent(self):
        self.assertNotIn("indent", self.request("is_complete_request", {"code": "1"})["content"])
        self.assertNotIn("indent", self.request("is_complete_request", {"code": ")"})["content"])
