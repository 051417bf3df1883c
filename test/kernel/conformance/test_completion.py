"""complete_request."""

from folder import FolderTestCase


class Completion(FolderTestCase):
    files = {"helper.ts": "export const helperA = 1; export const helperB = 2", "sub/inner.ts": "export {}"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        code = ("const alphaValue = { one: 1, 'two-words': 2, three() { return 3 } }; let alphaOther = "
                "'text'; "
                "class AlphaClass { static make() {} } interface AlphaShape { size: number; label: string } "
                "type AlphaUnion = 'red' | 'green'; enum AlphaEnum { First } function alphaCall(x: "
                "AlphaUnion) {}")
        cls.client.execute(code, reply=True, timeout=60)

    def complete(self, text, *, cursor=None):
        """Completes at `|`."""
        position = text.index("|") if cursor is None else cursor
        code = text.replace("|", "", 1) if cursor is None else text
        content = self.request("complete_request", {"code": code, "cursor_pos": position})["content"]
        self.assertEqual(content["status"], "ok")
        self.assertEqual(len(content["matches"]), len(set(content["matches"])), "duplicates")
        return content

    def matches(self, text):
        return self.complete(text)["matches"]

    def test_names_of_earlier_cells(self):
        self.assertEqual(set(self.matches("alp|")),
                         {"alphaValue", "alphaOther", "alphaCall", "AlphaClass", "AlphaEnum"})
        self.assertTrue(self.matches("alp|")[0].startswith("alp"))

    def test_members(self):
        self.assertEqual(self.matches("alphaOther.toUpp|"), ["toUpperCase"])
        self.assertEqual(set(self.matches("alphaValue.|")), {"one", "three"})
        self.assertEqual(self.matches("AlphaClass.m|"), ["make"])
        self.assertEqual(self.matches("alphaValue?.thr|"), ["three"])

    def test_a_member_that_is_no_identifier_is_offered_only_in_brackets(self):
        self.assertNotIn("two-words", self.matches("alphaValue.|"))
        self.assertIn("two-words", self.matches("alphaValue['|']"))

    def test_types_where_a_type_stands(self):
        self.assertEqual(set(self.matches("let a: Alpha|")), {"AlphaClass", "AlphaEnum", "AlphaShape",
                                                              "AlphaUnion"})
        self.assertNotIn("AlphaShape", self.matches("new Alpha|"))

    def test_strings_of_a_union(self):
        self.assertEqual(set(self.matches("const a: AlphaUnion = '|'")), {"red", "green"})
        self.assertEqual(self.matches("alphaCall('gr|')"), ["green"])

    def test_keys_of_an_object(self):
        self.assertEqual(set(self.matches("const a: AlphaShape = { | }")), {"size", "label"})
        self.assertEqual(self.matches("const a: AlphaShape = { size: 1, la| }"), ["label"])

    def test_paths_of_modules(self):
        content = self.complete("import x from 'node:f|'")
        self.assertIn("node:fs", content["matches"])
        self.assertEqual((content["cursor_start"], content["cursor_end"]), (15, 21))
        self.assertIn("helper", self.matches("import x from './he|'"))
        self.assertIn("inner", self.matches("import x from './sub/|'"))
        self.assertIn("node:path", self.matches("require('node:pa|')"))
        self.assertIn("node:os", self.matches("await import('node:o|')"))

    def test_names_that_a_module_exports(self):
        self.assertIn("helperB", self.matches("import { helperA, h| } from './helper'"))

    def test_the_range_covers_the_word_before_the_cursor(self):
        content = self.complete("const b = alphaV|")
        self.assertEqual((content["cursor_start"], content["cursor_end"]), (10, 16))
        content = self.complete("alphaValue.|")
        self.assertEqual((content["cursor_start"], content["cursor_end"]), (11, 11))

    def test_offsets_count_code_points(self):
        content = self.complete("'🍣🍣'; alphaV|")
        self.assertEqual(content["matches"], ["alphaValue"])
        self.assertEqual((content["cursor_start"], content["cursor_end"]), (6, 12))

    def test_in_the_middle_of_a_word(self):
        content = self.complete("al|phaV + 1")
        self.assertIn("alphaValue", content["matches"])
        self.assertEqual(content["cursor_start"], 0)
        self.assertIn(content["cursor_end"], (2, 6))

    def test_in_a_cell_with_syntax_errors(self):
        self.assertEqual(self.matches("let x = ;\nfoo(;\nalphaV|"), ["alphaValue"])
        self.assertEqual(self.matches("if (true) {\n  alphaOther.toUpp|"), ["toUpperCase"])

    def test_locals_and_parameters(self):
        self.assertEqual(self.matches("function f(parameterOne: number) { paramet| }"), ["parameterOne"])
        self.assertEqual(self.matches("const localThing = 1; localT|"), ["localThing"])

    def test_globals_keywords_and_the_kernels_own_names(self):
        self.assertIn("return", self.matches("function f() { ret| }"))
        self.assertIn("display", self.matches("displ|"))
        self.assertEqual(self.matches("display.ht|"), ["html"])
        self.assertIn("log", self.matches("console.lo|"))

    def test_nothing_in_comments_and_strings_and_for_unknown_words(self):
        for text in ("// alp|", "'alp|'", "/* alp| */", "zzzqqq|"):
            self.assertEqual(self.matches(text), [], text)

    def test_an_empty_prefix_offers_names_of_cells_first(self):
        matches = self.matches("|")
        self.assertIn("alphaValue", matches[:10])
        self.assertIn("console", matches)

    def test_kinds_and_ranges_for_jupyterlab(self):
        content = self.complete("alpha|")
        entries = content["metadata"]["_jupyter_types_experimental"]
        self.assertEqual([entry["text"] for entry in entries], content["matches"])
        kinds = {entry["text"]: entry["type"] for entry in entries}
        self.assertEqual(kinds["alphaCall"], "function")
        self.assertEqual(kinds["AlphaClass"], "class")
        for entry in entries:
            self.assertEqual((entry["start"], entry["end"]), (content["cursor_start"], content["cursor_end"]))

    def test_a_cursor_out_of_range_is_answered(self):
        for cursor in (-5, 10_000):
            self.assertEqual(self.complete("alpha", cursor=cursor)["status"], "ok")

    def test_completion_leaves_no_trace(self):
        self.complete("const leftOver = 1; leftO|")
        self.assertEqual(self.run_cell("leftOver").content["ename"], "TypeScriptError")
