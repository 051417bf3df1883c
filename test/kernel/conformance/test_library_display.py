"""What the library's own objects look like in a cell: the model, its parts, results, figures, tables and progress."""

import unittest
from pathlib import Path

from harness import KernelTestCase

ROOT = Path(__file__).resolve().parents[3]
PLOTLY = "application/vnd.plotly.v1+json"


class LibraryDisplay(KernelTestCase):
    cwd = str(ROOT)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls("run_cell")
        loaded = case.run_cell(
            'import { display as show, loadModel, mlpSparsity, neuronExamples, Tensor } from "persimmon-lab";\n'
            "const model = await loadModel();\n"
            'const zeros = await mlpSparsity(model, ["Once upon a time", "The cat sat"], { progress: false });\n'
            'const { cache } = await model.runWithCache("Once upon a time", { names: ["layers.*.mlp.act"] });'
        )
        if loaded.status != "ok":
            super().tearDownClass()
            raise unittest.SkipTest(f"the library cannot be loaded: {loaded.content['evalue']}")

    def data_of(self, code):
        execution = self.run_cell(code)
        self.assertEqual(execution.status, "ok", "\n".join(execution.content.get("traceback", [])))
        self.assertIsNotNone(execution.data, "the cell has no result")
        return execution.data

    def test_a_model_is_a_tree_of_modules(self):
        data = self.data_of("model")
        self.assertIn("<details", data["text/html"])
        self.assertIn("parameters", data["text/plain"])
        self.assertIn("selfAttn", data["text/plain"])

    def test_a_part_of_the_model_is_its_tree(self):
        for part in ["model.layers[1]", "model.layers[1].mlp", "model.layers[0].selfAttn.dense", "model.embedTokens"]:
            with self.subTest(part):
                data = self.data_of(part)
                self.assertIn("parameters", data["text/html"])
                self.assertIn("weight [", data["text/plain"])

    def test_a_list_of_layers_is_short_text(self):
        self.assertLess(len(self.data_of("model.layers")["text/plain"]), 10_000)

    def test_a_tensor_says_its_shape_type_and_some_values(self):
        text = self.data_of("Tensor.from(model.device, Float32Array.from({ length: 600 }, (_, i) => i), [20, 30])")
        self.assertEqual(
            text["text/plain"], "Tensor [20, 30] float32: 0, 1, 2, 3, 4, 5, …, 594, 595, 596, 597, 598, 599"
        )

    def test_a_released_tensor_is_survived(self):
        text = self.data_of("const t = Tensor.from(model.device, Float32Array.of(1)); t.release(); t")
        self.assertIn("released", text["text/plain"])

    def test_a_weight_of_the_model_is_a_tensor(self):
        text = self.data_of("model.layers[0].mlp.denseHTo4h.weight")["text/plain"]
        self.assertRegex(text, r"^Tensor \[\d+, \d+\] \w+: -?\d")

    def test_an_activation_cache_is_a_table_of_what_was_kept(self):
        data = self.data_of("cache")
        self.assertIn("<table", data["text/html"])
        self.assertIn("layers.0.mlp.act", data["text/plain"])

    def test_kept_values_are_abbreviated(self):
        text = self.data_of('cache.get("layers.0.mlp.act")')["text/plain"]
        self.assertIn("Float32Array", text)
        self.assertIn("more items", text)

    def test_sparsity_is_a_summary_with_a_table(self):
        data = self.data_of("zeros")
        self.assertIn("<table", data["text/html"])
        self.assertIn("%", data["text/plain"])

    def test_figures_of_results_are_plotly_figures(self):
        for figure in ["layerFigure", "tokenFigure", "firingFigure", "preActivationFigure", "bytesFigure"]:
            with self.subTest(figure):
                data = self.data_of(f"zeros.{figure}()")
                self.assertGreater(len(data[PLOTLY]["data"]), 0)
                self.assertIn("Plotly", data["text/html"])
                self.assertTrue(data["text/plain"].startswith("Figure"))

    def test_builders_of_figures_make_plotly_figures(self):
        for code in [
            "show.line([1, 2, 3])",
            "show.bar({ labels: ['a', 'b'], values: [1, 2] })",
            "show.histogram([1, 2, 2, 3])",
            "show.heatmap([[1, 2], [3, 4]])",
            "show.figure({ type: 'pie', values: [1, 2] })",
        ]:
            with self.subTest(code):
                self.assertIn(PLOTLY, self.data_of(code))

    def test_a_figure_shown_by_either_display_has_html_for_exported_pages(self):
        execution = self.run_cell("show(show.line([1, 2])); display(show.line([1, 2]));")
        shown = [m["content"]["data"] for m in execution.of_type("display_data")]
        self.assertEqual(len(shown), 2)
        for data in shown:
            self.assertIn(PLOTLY, data)
            self.assertIn("Plotly", data["text/html"])

    def test_a_table_is_html_and_text(self):
        data = self.data_of('show.table([{ name: "<b>", n: 1 }])')
        self.assertIn("&lt;b&gt;", data["text/html"])
        self.assertIn("name", data["text/plain"])

    def test_a_danfojs_data_frame_is_a_table(self):
        data = self.data_of(
            'import * as danfojs from "danfojs-node";\n'
            'new danfojs.DataFrame({ city: ["<Ulm>", "Bonn"], size: [126, 336] })'
        )
        self.assertIn("<th>city</th><th>size</th>", data["text/html"])
        self.assertIn("&lt;Ulm&gt;", data["text/html"])
        self.assertIn("Bonn", data["text/plain"])

    def test_a_danfojs_series_is_a_table(self):
        data = self.data_of('import { Series } from "danfojs-node";\nnew Series([1.5, 2.5])')
        self.assertIn("2.5</td>", data["text/html"])

    def test_log_probabilities_are_the_text_on_a_background(self):
        data = self.data_of('await model.logprobs("Once upon a time")')
        self.assertIn("<span", data["text/html"])
        self.assertIn("text/plain", data)

    def test_examples_of_a_neuron_are_html(self):
        code = 'await neuronExamples(model, ["Once upon a time"], { layer: 0, neuron: 1, progress: false })'
        self.assertIn("Neuron 1 of layer 0", self.data_of(code)["text/html"])

    def test_a_progress_bar_moves_in_place(self):
        execution = self.run_cell(
            'using work = show.progress({ total: 4, label: "Work" });'
            "for (let i = 0; i < 4; i++) { await new Promise((r) => setTimeout(r, 120)); work.advance(); }"
        )
        first = execution.of_type("display_data")
        updates = execution.of_type("update_display_data")
        self.assertEqual(len(first), 1)
        self.assertGreater(len(updates), 1)
        ids = {m["content"]["transient"]["display_id"] for m in first + updates}
        self.assertEqual(len(ids), 1)
        self.assertIn('<progress value="4" max="4">', updates[-1]["content"]["data"]["text/html"])

    def test_a_progress_bar_as_a_value_is_a_line(self):
        data = self.data_of('const bar = show.progress({ total: 2, label: "Half" }); bar.update(1); bar')
        self.assertRegex(data["text/plain"], r"^Half \[█+░+\] 1 of 2")
        self.run_cell("bar.close()")

    def test_a_stream_of_tokens_is_a_line_and_can_still_be_read(self):
        data = self.data_of('const stream = model.generate("Once upon", { maxNewTokens: 4 }); stream')
        self.assertTrue(data["text/plain"].startswith("TokenStream"))
        self.assertEqual(self.evaluate("let n = 0; for await (const _ of stream) n++; n"), "4")

    def test_a_finished_generation_is_its_text(self):
        data = self.data_of('await model.generate("Once upon", { maxNewTokens: 4 }).done')
        self.assertIn("text:", data["text/plain"])
        self.assertIn("finish: 'length'", data["text/plain"])

    def test_tokenizer_device_and_cache_are_lines(self):
        for code, start in [("model.tokenizer", "Tokenizer"), ("model.device", "Device"), ("model.kv", "KvCache")]:
            with self.subTest(code):
                text = self.data_of(code)["text/plain"]
                self.assertTrue(text.startswith(start))
                self.assertNotIn("\n", text)
