"""display() and its short forms: what a cell asks to be shown is what front ends get."""

import base64

from harness import KernelTestCase

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Display(KernelTestCase):
    def shown(self, code):
        """The display_data of a cell that must succeed."""
        execution = self.run_cell(code)
        self.assertEqual(execution.status, "ok", "\n".join(execution.content.get("traceback", [])))
        return [message["content"] for message in execution.of_type("display_data")]

    def data(self, code):
        contents = self.shown(code)
        self.assertEqual(len(contents), 1)
        return contents[0]["data"]

    def error(self, code):
        execution = self.run_cell(code)
        self.assertEqual(execution.status, "error")
        self.assertEqual(execution.of_type("display_data"), [])
        return execution.content

    def test_display_shows_any_value_as_text(self):
        self.assertEqual(self.data("display({ a: 1 })"), {"text/plain": "{ a: 1 }"})

    def test_display_is_no_result(self):
        execution = self.run_cell("display(1)")
        self.assertEqual(execution.types(), ["execute_input", "display_data"])

    def test_display_without_an_id_has_none(self):
        self.assertNotIn("display_id", self.shown("display(1)")[0].get("transient", {}))

    def test_displays_keep_their_order_among_output_and_result(self):
        execution = self.run_cell('console.log("a"); display(1); console.log("b"); 2')
        self.assertEqual(
            execution.types(), ["execute_input", "stream", "display_data", "stream", "execute_result"]
        )

    def test_html(self):
        self.assertEqual(self.data('display.html("<b>x</b>")'), {"text/html": "<b>x</b>"})

    def test_markdown(self):
        self.assertEqual(self.data('display.markdown("# x")'), {"text/markdown": "# x"})

    def test_latex(self):
        self.assertEqual(self.data('display.latex("$x^2$")'), {"text/latex": "$x^2$"})

    def test_svg(self):
        self.assertEqual(self.data('display.svg("<svg/>")'), {"image/svg+xml": "<svg/>"})

    def test_text_has_no_quotes(self):
        self.assertEqual(self.data('display.text("x")'), {"text/plain": "x"})

    def test_png_from_bytes_is_base64(self):
        data = self.data(f'display.png(Buffer.from("{PNG}", "base64"))')
        self.assertEqual(data, {"image/png": PNG})

    def test_png_from_a_view_into_a_larger_buffer_sends_the_view(self):
        data = self.data("display.png(new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4))")
        self.assertEqual(base64.b64decode(data["image/png"]), bytes([1, 2, 3]))

    def test_png_from_an_array_buffer(self):
        data = self.data("display.png(new Uint8Array([1, 2, 3]).buffer)")
        self.assertEqual(base64.b64decode(data["image/png"]), bytes([1, 2, 3]))

    def test_png_from_base64_and_from_a_data_url(self):
        self.assertEqual(self.data(f'display.png("{PNG}")'), {"image/png": PNG})
        self.assertEqual(self.data(f'display.png("data:image/png;base64,{PNG}")'), {"image/png": PNG})

    def test_png_of_a_path_is_an_error_that_says_how(self):
        error = self.error('display.png("./plot.png")')
        self.assertEqual(error["ename"], "TypeError")
        self.assertIn("readFile", error["evalue"])

    def test_raw_of_a_type(self):
        self.assertEqual(self.data('display.raw("text/x-own", "x")'), {"text/x-own": "x"})

    def test_raw_json_stays_json(self):
        data = self.data('display.raw("application/vnd.own.v1+json", { a: [1, null] })')
        self.assertEqual(data, {"application/vnd.own.v1+json": {"a": [1, None]}})

    def test_raw_bundle_is_sent_as_it_is(self):
        data = self.data('display({ "text/html": "<i>x</i>", "text/plain": "x" }, { raw: true })')
        self.assertEqual(data, {"text/html": "<i>x</i>", "text/plain": "x"})

    def test_raw_bundle_with_bytes_is_base64(self):
        data = self.data('display({ "image/jpeg": new Uint8Array([255, 216]) }, { raw: true })')
        self.assertEqual(data, {"image/jpeg": base64.b64encode(bytes([255, 216])).decode()})

    def test_raw_bundle_with_a_figure_is_sent_as_it_is(self):
        data = self.data('display({ "application/vnd.plotly.v1+json": { data: [], layout: {} } }, { raw: true })')
        self.assertEqual(data, {"application/vnd.plotly.v1+json": {"data": [], "layout": {}}})

    def test_metadata_goes_along(self):
        content = self.shown(
            'display({ "image/png": "AQID" }, { raw: true, metadata: { "image/png": { width: 20 } } })'
        )[0]
        self.assertEqual(content["metadata"], {"image/png": {"width": 20}})

    def test_metadata_of_a_value_goes_along(self):
        content = self.shown('display(5, { metadata: { isolated: true } })')[0]
        self.assertEqual(content["metadata"], {"isolated": True})

    def test_an_id_is_the_display_id(self):
        content = self.shown('display({ "text/plain": "x" }, { raw: true, id: "one" })')[0]
        self.assertEqual(content["transient"], {"display_id": "one"})

    def test_an_update_is_update_display_data_under_the_same_id(self):
        self.run_cell('display({ "text/plain": "old" }, { raw: true, id: "two" })')
        execution = self.run_cell('display({ "text/plain": "new" }, { raw: true, id: "two", update: true })')
        self.assertEqual(execution.types(), ["execute_input", "update_display_data"])
        content = execution.of_type("update_display_data")[0]["content"]
        self.assertEqual(content["data"], {"text/plain": "new"})
        self.assertEqual(content["transient"], {"display_id": "two"})

    def test_a_value_can_be_updated_too(self):
        execution = self.run_cell('display([1], { id: "three" }); display([2], { id: "three", update: true })')
        self.assertEqual(execution.types(), ["execute_input", "display_data", "update_display_data"])
        content = execution.of_type("update_display_data")[0]["content"]
        self.assertEqual(content["data"]["text/plain"], "[ 2 ]")

    def test_an_update_without_an_id_is_an_error(self):
        self.assertIn("id", self.error('display({ "text/plain": "x" }, { raw: true, update: true })')["evalue"])

    def test_raw_of_what_is_no_bundle_is_an_error(self):
        for value in ["1", "null", "'x'", "[1, 2]", "new Map()"]:
            with self.subTest(value):
                error = self.error(f"display({value}, {{ raw: true }})")
                self.assertEqual(error["ename"], "TypeError")
                self.assertIn("MIME bundle", error["evalue"])

    def test_a_bundle_whose_key_is_no_mime_type_is_an_error(self):
        self.assertIn('"html"', self.error('display({ html: "x" }, { raw: true })')["evalue"])

    def test_a_short_form_without_content_is_an_error(self):
        self.assertIn("display.html", self.error("display.html(undefined as any)")["evalue"])

    def test_metadata_that_is_no_object_is_an_error(self):
        self.assertIn("metadata", self.error("display(1, { metadata: 5 as any })")["evalue"])

    def test_clear_is_clear_output(self):
        execution = self.run_cell("display.clear()")
        self.assertEqual([m["content"] for m in execution.of_type("clear_output")], [{"wait": False}])

    def test_clear_can_wait_for_the_next_output(self):
        execution = self.run_cell("display.clear({ wait: true })")
        self.assertEqual([m["content"] for m in execution.of_type("clear_output")], [{"wait": True}])

    def test_an_asynchronous_display_arrives_before_the_cell_ends(self):
        execution = self.run_cell(
            'display({ [Symbol.for("Jupyter.display")]: async () => {'
            ' await new Promise((done) => setTimeout(done, 50)); return { "text/plain": "late" }; } });'
        )
        self.assertEqual([m["content"]["data"] for m in execution.of_type("display_data")], [{"text/plain": "late"}])

    def test_display_from_a_timer_belongs_to_its_cell(self):
        execution = self.run_cell(
            'setTimeout(() => display.text("from a timer"), 20); await new Promise((r) => setTimeout(r, 200));'
        )
        self.assertEqual(execution.of_type("display_data")[0]["content"]["data"], {"text/plain": "from a timer"})


class Tslab(KernelTestCase):
    def displays(self, code):
        execution = self.run_cell('import * as tslab from "tslab";\n' + code)
        self.assertEqual(execution.status, "ok", "\n".join(execution.content.get("traceback", [])))
        kinds = ("display_data", "update_display_data")
        return [(m["msg_type"], m["content"]) for m in execution.messages if m["msg_type"] in kinds]

    def test_its_short_forms_are_displays_here(self):
        shown = self.displays(
            'tslab.display.html("<b>1</b>"); tslab.display.markdown("2"); tslab.display.latex("3");'
            'tslab.display.svg("4"); tslab.display.text("5"); tslab.display.javascript("6");'
        )
        self.assertEqual(
            [content["data"] for _, content in shown],
            [
                {"text/html": "<b>1</b>"},
                {"text/markdown": "2"},
                {"text/latex": "3"},
                {"image/svg+xml": "4"},
                {"text/plain": "5"},
                {"text/javascript": "6"},
            ],
        )

    def test_its_pictures_are_base64(self):
        shown = self.displays(
            "const bytes = new Uint8Array([1, 2, 3]);"
            "tslab.display.png(bytes); tslab.display.jpeg(bytes); tslab.display.gif(bytes); tslab.display.pdf(bytes);"
        )
        self.assertEqual(
            [content["data"] for _, content in shown],
            [{type: "AQID"} for type in ("image/png", "image/jpeg", "image/gif", "application/pdf")],
        )

    def test_its_raw_form(self):
        shown = self.displays('tslab.display.raw("text/x-own", "x")')
        self.assertEqual(shown[0][1]["data"], {"text/x-own": "x"})

    def test_a_new_display_is_overwritten_in_place(self):
        shown = self.displays('const d = tslab.newDisplay(); d.text("one"); d.text("two");')
        self.assertEqual([kind for kind, _ in shown], ["display_data", "update_display_data"])
        ids = {content["transient"]["display_id"] for _, content in shown}
        self.assertEqual(len(ids), 1)

    def test_it_knows_its_versions(self):
        self.assertEqual(self.evaluate("tslab.versions.node === process.version"), "true")
