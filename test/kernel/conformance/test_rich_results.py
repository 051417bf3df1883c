"""Results that are more than text: objects that show themselves, what well-known libraries make, and large values."""

import json
import time

from harness import KernelTestCase

PLOTLY = "application/vnd.plotly.v1+json"
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
# More than the kernel takes by far, less than anyone would wait for.
SOON = 20


class RichResultsCase(KernelTestCase):
    def data_of(self, code):
        execution = self.run_cell(code)
        self.assertEqual(execution.status, "ok", "\n".join(execution.content.get("traceback", [])))
        self.assertEqual(len(execution.of_type("execute_result")), 1)
        return execution.data

    def own(self, body):
        return self.data_of(f'({{ [Symbol.for("Jupyter.display")]{body} }})')


class OwnBundles(RichResultsCase):
    def test_an_object_shows_itself(self):
        self.assertEqual(self.own('() { return { "text/html": "<b>x</b>" }; }')["text/html"], "<b>x</b>")

    def test_text_is_added_where_the_object_gives_none(self):
        self.assertIn("text/plain", self.own('() { return { "text/html": "<b>x</b>" }; }'))

    def test_text_of_its_own_stays(self):
        self.assertEqual(self.own('() { return { "text/plain": "mine" }; }'), {"text/plain": "mine"})

    def test_an_object_shows_itself_asynchronously(self):
        method = ': async () => { await Promise.resolve(); return { "text/plain": "later" }; }'
        self.assertEqual(self.own(method), {"text/plain": "later"})

    def test_a_class_shows_its_instances_and_this_is_the_instance(self):
        data = self.data_of(
            'class Note { constructor(readonly text: string) {}'
            ' [Symbol.for("Jupyter.display")]() { return { "text/markdown": this.text }; } }\nnew Note("# hi")'
        )
        self.assertEqual(data["text/markdown"], "# hi")

    def test_a_function_can_show_itself(self):
        data = self.data_of(
            'Object.assign(() => 1, { [Symbol.for("Jupyter.display")]: () => ({ "text/plain": "a function" }) })'
        )
        self.assertEqual(data, {"text/plain": "a function"})

    def test_bytes_become_base64_and_json_stays_an_object(self):
        data = self.own('() { return { "image/png": new Uint8Array([1, 2, 3]), "application/json": { a: 1 } }; }')
        self.assertEqual(data["image/png"], "AQID")
        self.assertEqual(data["application/json"], {"a": 1})

    def test_one_that_throws_says_so_and_the_cell_succeeds(self):
        self.assertIn("went wrong", self.own('() { throw new Error("went wrong"); }')["text/plain"])

    def test_one_that_rejects_says_so_and_the_cell_succeeds(self):
        self.assertIn("too late", self.own(': async () => { throw new Error("too late"); }')["text/plain"])

    def test_one_that_returns_nonsense_says_so_and_the_cell_succeeds(self):
        for nonsense in ["5", "null", "undefined", "'text'", "[1]"]:
            with self.subTest(nonsense):
                self.assertIn("MIME bundle", self.own(f"() {{ return {nonsense}; }}")["text/plain"])

    def test_one_that_returns_a_circle_says_so_and_the_cell_succeeds(self):
        data = self.own('() { const a: any = {}; a.a = a; return { "application/json": a }; }')
        self.assertIn("circular", data["text/plain"])

    def test_a_getter_of_that_name_that_throws_is_survived(self):
        data = self.data_of('({ get [Symbol.for("Jupyter.display")]() { throw new Error("getter"); } })')
        self.assertIn("getter", data["text/plain"])


class Recognised(RichResultsCase):
    def test_a_plotly_figure_is_an_object_of_the_plotly_type(self):
        data = self.data_of('({ data: [{ type: "scatter", y: [1, 2] }], layout: { title: { text: "T" } } })')
        self.assertEqual(data[PLOTLY], {"data": [{"type": "scatter", "y": [1, 2]}], "layout": {"title": {"text": "T"}}})
        self.assertIn("T", data["text/plain"])

    def test_a_figure_has_html_for_pages_without_a_renderer(self):
        html = self.data_of("({ data: [{ y: [1] }], layout: {} })")["text/html"]
        self.assertIn("Plotly", html)
        self.assertIn("<script>", html)

    def test_typed_arrays_in_a_figure_are_lists_and_gaps_are_null(self):
        data = self.data_of("({ data: [{ y: Float64Array.of(1, NaN, Infinity, 2) }], layout: {} })")
        self.assertEqual(data[PLOTLY]["data"][0]["y"], [1, None, None, 2])

    def test_a_large_figure_is_not_stored_twice_in_full(self):
        data = self.data_of(
            "({ data: [{ y: Array.from({ length: 20000 }, (_, i) => Math.sin(i * i)) }], layout: {} })"
        )
        self.assertLess(len(data["text/html"]), 0.7 * len(json.dumps(data[PLOTLY])))

    def test_what_only_resembles_a_figure_is_text(self):
        for value in ["{ data: [1, 2], layout: {} }", "{ data: {}, layout: {} }", "{ data: [{}] }"]:
            with self.subTest(value):
                self.assertNotIn(PLOTLY, self.data_of(f"({value})"))

    def test_an_array_of_records_is_a_table(self):
        html = self.data_of('[{ name: "Ada", n: 1 }, { name: "Bob", n: 2 }]')["text/html"]
        for part in ["<table", "<th>name</th>", ">Ada</td>", ">2</td>"]:
            self.assertIn(part, html)

    def test_records_with_different_keys_have_all_columns(self):
        html = self.data_of("[{ a: 1 }, { b: 2 }]")["text/html"]
        self.assertIn("<th>a</th><th>b</th>", html)

    def test_tables_escape_html(self):
        html = self.data_of('[{ "<i>k</i>": "<script>alert(1)</script> & \\"q\\"" }]')["text/html"]
        self.assertNotIn("<script>", html)
        self.assertNotIn("<i>", html)
        self.assertIn("&lt;script&gt;", html)

    def test_a_long_table_is_cut_and_says_so(self):
        html = self.data_of("Array.from({ length: 1000 }, (_, i) => ({ i }))")["text/html"]
        self.assertLess(html.count("<tr>"), 100)
        self.assertIn("of 1000 rows", html)

    def test_a_wide_table_is_cut_and_says_so(self):
        html = self.data_of('[Object.fromEntries(Array.from({ length: 500 }, (_, i) => ["c" + i, i]))]')["text/html"]
        self.assertLess(html.count("<td"), 100)
        self.assertIn("of 500 columns", html)

    def test_plain_lists_are_text(self):
        self.assertEqual(self.data_of("[1, 2]"), {"text/plain": "[ 1, 2 ]"})
        self.assertNotIn("text/html", self.data_of("[{}, {}]"))
        self.assertNotIn("text/html", self.data_of("[{ a: 1 }, 2]"))

    def test_vega_lite_and_vega_have_their_types(self):
        for name, version, mime in [
            ("vega-lite", 3, "application/vnd.vegalite.v3+json"),
            ("vega-lite", 4, "application/vnd.vegalite.v4+json"),
            ("vega-lite", 5, "application/vnd.vegalite.v5+json"),
            ("vega-lite", 6, "application/vnd.vegalite.v6+json"),
            ("vega", 5, "application/vnd.vega.v5+json"),
            ("vega", 6, "application/vnd.vega.v6+json"),
        ]:
            with self.subTest(mime):
                spec = {"$schema": f"https://vega.github.io/schema/{name}/v{version}.json", "mark": "bar"}
                self.assertEqual(self.data_of(f"({json.dumps(spec)})")[mime], spec)

    def test_version_six_is_drawn_by_jupyterlab_which_knows_five(self):
        data = self.data_of('({ $schema: "https://vega.github.io/schema/vega-lite/v6.1.0.json", mark: "bar" })')
        self.assertIn("application/vnd.vegalite.v5+json", data)

    def test_a_chart_builder_with_to_spec_is_its_specification(self):
        data = self.data_of(
            '({ toSpec: () => ({ $schema: "https://vega.github.io/schema/vega-lite/v5.json", mark: "point" }) })'
        )
        self.assertEqual(data["application/vnd.vegalite.v5+json"]["mark"], "point")

    def test_an_svg_element_is_a_picture_with_its_namespace(self):
        data = self.data_of("""class Element { outerHTML = '<svg width="9"><circle r="3"></circle></svg>' } new Element()""")
        self.assertIn('xmlns="http://www.w3.org/2000/svg"', data["image/svg+xml"])
        self.assertIn('<circle r="3">', data["image/svg+xml"])

    def test_an_html_element_is_html(self):
        data = self.data_of("""class Element { outerHTML = "<figure><svg></svg></figure>" } new Element()""")
        self.assertEqual(data["text/html"], "<figure><svg></svg></figure>")

    def test_a_polars_data_frame_is_a_table(self):
        data = self.data_of(
            """class DataFrame {
              columns = ["a", "b"]; height = 200; shape = { height: 200, width: 2 };
              constructor(private readonly count = 200) {}
              head(n = 5) { return new DataFrame(n); }
              toRecords() { return Array.from({ length: this.count }, (_, i) => ({ a: i, b: "<" + i })); }
              toString() { return "shape: (200, 2)"; }
            }
            new DataFrame()"""
        )
        self.assertIn("<th>a</th><th>b</th>", data["text/html"])
        self.assertIn("&lt;3", data["text/html"])
        self.assertIn("of 200 rows", data["text/html"])
        self.assertEqual(data["text/plain"], "shape: (200, 2)")

    def test_bytes_of_a_picture_are_a_picture(self):
        self.assertEqual(self.data_of(f'Buffer.from("{PNG}", "base64")')["image/png"], PNG)
        self.assertIn("image/jpeg", self.data_of("Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0)"))

    def test_other_bytes_are_text(self):
        self.assertEqual(self.data_of('Buffer.from("hi")'), {"text/plain": "<Buffer 68 69>"})


class Text(RichResultsCase):
    def test_values_are_printed_as_node_prints_them(self):
        for code, text in [
            ("new Map([[1, { a: 2 }]])", "Map(1) { 1 => { a: 2 } }"),
            ("new Set([1])", "Set(1) { 1 }"),
            ("Float32Array.of(1, 2)", "Float32Array(2) [ 1, 2 ]"),
            ("new Date(0)", "1970-01-01T00:00:00.000Z"),
            ("/a+/g", "/a+/g"),
            ("10n", "10n"),
            ("null", "null"),
            ("''", "''"),
            ("Symbol('s')", "Symbol(s)"),
            ("(() => { class Point { x = 1 } return new Point() })()", "Point { x: 1 }"),
            ("Promise.resolve(5)", "Promise { 5 }"),
        ]:
            with self.subTest(code):
                self.assertEqual(self.data_of(code), {"text/plain": text})

    def test_text_has_no_escape_sequences(self):
        self.assertNotIn("\x1b", self.data_of("({ a: 'x', b: 1, c: null })")["text/plain"])

    def test_an_error_as_a_value_is_no_failure(self):
        self.assertIn("Error: only a value", self.data_of('new Error("only a value")')["text/plain"])

    def test_html_in_a_string_stays_text(self):
        self.assertEqual(self.data_of("'<b>x</b>'"), {"text/plain": "'<b>x</b>'"})

    def test_circles_are_marked(self):
        self.assertIn("[Circular *1]", self.data_of("const circle: any = {}; circle.self = circle; circle")["text/plain"])

    def test_circles_in_records_are_survived(self):
        self.assertIn("<table", self.data_of("const c: any = { n: 1 }; c.self = c; [c, c]")["text/html"])

    def test_getters_that_throw_are_survived(self):
        self.assertIn("Getter", self.data_of('({ get bad() { throw new Error("no"); } })')["text/plain"])
        self.data_of('[{ get bad() { throw new Error("no"); } }]')

    def test_proxies_whose_traps_throw_are_survived(self):
        self.data_of(
            "const no = () => { throw new Error('no'); };"
            "new Proxy({}, { get: no, has: no, ownKeys: no, getPrototypeOf: no, getOwnPropertyDescriptor: no })"
        )

    def test_an_inspection_that_throws_is_survived(self):
        self.data_of('({ [Symbol.for("nodejs.util.inspect.custom")]() { throw new Error("no"); } })')

    def test_large_values_are_abbreviated_soon(self):
        for code in [
            "new Array(1e6).fill(1)",
            "new Float64Array(1e7)",
            '"x".repeat(1e7)',
            'Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => ["k" + i, i]))',
            "new Map(Array.from({ length: 1e5 }, (_, i) => [i, { i }]))",
            "new Set(Array.from({ length: 1e5 }, (_, i) => i))",
            "(() => { class Wide {}; const w: any = new Wide(); for (let i = 0; i < 1e5; i++) w['k' + i] = i; return w })()",
            "Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => new Array(100).fill(1)))",
            "Array.from({ length: 1e5 }, (_, i) => ({ i, text: 'x'.repeat(1000) }))",
            "let deep: any = {}; for (let i = 0; i < 1e5; i++) deep = { deep }; deep",
        ]:
            with self.subTest(code):
                started = time.monotonic()
                size = len(json.dumps(self.data_of(code)))
                self.assertLess(size, 120_000)
                self.assertLess(time.monotonic() - started, SOON)

    def test_what_is_left_out_is_said(self):
        self.assertIn("more items", self.data_of("new Array(1000).fill(1)")["text/plain"])
        self.assertIn("more characters", self.data_of('"x".repeat(20000)')["text/plain"])
        self.assertIn(
            "300 more keys",
            self.data_of('Object.fromEntries(Array.from({ length: 500 }, (_, i) => ["k" + i, i]))')["text/plain"],
        )
