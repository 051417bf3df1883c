"""inspect_request."""

from harness import KernelTestCase

SETUP = """/**
 * Adds two numbers.
 * @param a the first
 */
function addNumbers(a: number, b = 2): number {
  return a + b;
}
interface Shape {
  /** How large. */
  size: number;
}
const shape: Shape = { size: 1 };
class Box { /** Opens it. */ open(times: number) { return times } }"""


class Inspection(KernelTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.execute(SETUP, reply=True, timeout=60)

    def inspect(self, text, detail=0):
        """Inspects at `|`; the text of what was found, or None."""
        content = {"code": text.replace("|", "", 1), "cursor_pos": text.index("|"), "detail_level": detail}
        found = self.request("inspect_request", content)["content"]
        self.assertEqual(found["status"], "ok")
        if not found["found"]:
            self.assertEqual(found["data"], {})
            return None
        self.assertIn("text/markdown", found["data"])
        return found["data"]["text/plain"]

    def test_a_function_of_an_earlier_cell_with_its_documentation(self):
        for text in ("addNum|bers", "|addNumbers", "addNumbers|", "1; addNumbers|(1)"):
            found = self.inspect(text)
            self.assertIn("addNumbers(a: number, b?: number): number", found)
            self.assertIn("Adds two numbers.", found)
            self.assertIn("the first", found)

    def test_inside_the_parentheses_of_a_call(self):
        for text in ("addNumbers(|", "addNumbers(|)", "addNumbers(1, |)", "addNumbers(1, 2)|"):
            self.assertIn("addNumbers(a: number, b?: number): number", self.inspect(text), text)
        self.assertIn("stringify(value", self.inspect("JSON.stringify(|)"))
        self.assertIn("open(times: number)", self.inspect("new Box().open(|)"))

    def test_the_name_under_the_cursor_comes_before_the_call_around_it(self):
        self.assertIn("const shape: Shape", self.inspect("addNumbers(sha|pe.size)"))

    def test_members(self):
        found = self.inspect("shape.si|ze")
        self.assertIn("size: number", found)
        self.assertIn("How large.", found)
        self.assertIn("Math.max(...values: number[]): number", self.inspect("Math.ma|x"))

    def test_types(self):
        self.assertIn("interface Shape", self.inspect("let other: Sha|pe"))
        self.assertIn("interface Shape", self.inspect("Shape|"))

    def test_names_of_the_cell_itself(self):
        self.assertIn("let local: string", self.inspect("let local = 'x'; loc|al"))

    def test_after_an_emoji(self):
        self.assertIn("addNumbers", self.inspect("'🍣🍣'; addNumb|ers"))

    def test_detail_level_one_shows_the_source(self):
        self.assertNotIn("return a + b", self.inspect("addNum|bers"))
        self.assertIn("return a + b", self.inspect("addNum|bers", detail=1))
        self.assertIn("{ size: 1 }", self.inspect("sha|pe", detail=1))

    def test_what_is_not_known_is_not_found(self):
        for text in ("nothing|Here", "|", "   |  ", "con|st q = 1", "12|3", "'str|ing'", "// comm|ent"):
            self.assertIsNone(self.inspect(text), text)

    def test_in_a_cell_with_syntax_errors(self):
        self.assertIn("addNumbers", self.inspect("let x = ;\naddNumb|ers("))

    def test_a_name_with_a_question_mark_opens_the_pager(self):
        self.evaluate("/** Half of it. */\nfunction halfOf(n: number) { return n / 2; }")
        for code in ("halfOf?", "?halfOf", "  halfOf ? "):
            execution = self.run_cell(code)
            self.assertEqual((execution.status, execution.types()), ("ok", ["execute_input"]))
            (payload,) = execution.content["payload"]
            self.assertEqual((payload["source"], payload["start"]), ("page", 0))
            self.assertIn("halfOf(n: number): number", payload["data"]["text/plain"])
            self.assertIn("Half of it.", payload["data"]["text/plain"])
        (payload,) = self.run_cell("halfOf??").content["payload"]
        self.assertIn("return n / 2", payload["data"]["text/plain"])
        self.assertEqual(self.run_cell("noSuchName?").status, "error")
        self.assertEqual(self.evaluate("true ? 1 : 2"), "1")
