"""The tsconfig.json in the notebook's folder."""

import json
from pathlib import Path

from folder import FolderTestCase

OPTIONS = {
    "strict": True,
    "target": "ES5",
    "module": "esnext",
    "jsx": "react",
    "noEmit": True,
    "outDir": "out",
    "verbatimModuleSyntax": True,
    "isolatedModules": True,
    "noUnusedLocals": True,
    "experimentalDecorators": True,
    "lib": ["ES2022"],
    "paths": {"@lib/*": ["./lib/*"], "@data": ["./lib/data.json"]},
}


class Tsconfig(FolderTestCase):
    files = {
        "tsconfig.json": "// comments are allowed\n" + json.dumps({"compilerOptions": OPTIONS}),
        "lib/util.ts": "import { other } from '@lib/other'; export const util = () => 'util ' + other",
        "lib/other.ts": "export const other = 'one'",
        "lib/plain.js": "exports.plain = 'js'",
        "lib/data.json": '{"k": 1}',
    }

    def test_strictness(self):
        self.assertIn("TS2322", self.error_of("let n: number = null")[1])
        self.assertIn("TS7006", self.error_of("function f(x) { return x }")[1])

    def test_the_library(self):
        self.assertIn("toSorted", self.error_of("[3, 1].toSorted()")[1])

    def test_paths_work_for_types_and_at_run_time(self):
        self.assertEqual(self.evaluate("import { util } from '@lib/util'; util().toUpperCase()"),
                         "'UTIL ONE'")
        self.assertEqual(self.evaluate("(await import('@lib/util')).util()"), "'util one'")
        self.assertEqual(self.evaluate("import data from '@data'; data.k.toFixed(1)"), "'1.0'")
        self.assertEqual(self.evaluate("require('@lib/plain').plain"), "'js'")

    def test_a_file_behind_an_alias_is_loaded_again_after_an_edit(self):
        self.write("lib/changing.ts", "export const value = 'before'")
        self.assertEqual(self.evaluate("import { value } from '@lib/changing'; value"), "'before'")
        self.write("lib/changing.ts", "export const value = 'afterwards'")
        self.assertEqual(self.evaluate("import { value } from '@lib/changing'; value"), "'afterwards'")

    def test_legacy_decorators(self):
        code = ("function legacy(target: unknown, key: string, d: PropertyDescriptor) { d.value = () => key "
                "+ '!' }\n"
                "class A { @legacy m() { return '' } }\nnew A().m()")
        self.assertEqual(self.evaluate(code), "'m!'")

    def test_what_would_break_a_notebook_is_left_out(self):
        self.assertEqual(self.evaluate("import { join } from 'node:path'; const unused = 1; await null; "
                                       "join('a', 'b')"), "'a/b'")
        self.assertEqual(self.evaluate("class C { #p = 1n; get p() { return this.#p } }\nnew C().p"), "1n")
        self.assertFalse(Path(self.cwd, "out").exists())


class ChangingTsconfig(FolderTestCase):
    def test_an_edit_takes_effect_in_the_next_cell(self):
        self.evaluate("let loose: number = null; 1")
        self.write("tsconfig.json", '{ "compilerOptions": { "strict": true } }')
        self.assertIn("TS2322", self.error_of("let tight: number = null")[1])
        self.write("tsconfig.json", "{}")
        self.evaluate("let again: number = null; 1")

    def test_a_broken_file_is_told_once_and_stops_nothing(self):
        self.write("tsconfig.json", '{ "compilerOptions": { "strict": fal')
        execution = self.run_cell("'runs'")
        self.assertEqual(execution.result, "'runs'")
        self.assertRegex(execution.text("stderr"), r"tsconfig\.json:1:\d+ - TS1005")
        self.assertEqual(self.run_cell("1").text("stderr"), "")

    def test_an_unknown_option_and_a_missing_base_are_told_and_the_rest_holds(self):
        self.write("tsconfig.json", '{ "extends": "./none.json", "compilerOptions": { "nonsense": 1, '
                                    '"strict": true } }')
        text = self.run_cell("1").text("stderr")
        self.assertIn("nonsense", text)
        self.assertIn("none.json", text)
        self.assertIn("TS2322", self.error_of("let n: number = null")[1])

    def test_a_base_that_is_there_is_read(self):
        self.write("base.json", '{ "compilerOptions": { "strict": true } }')
        self.write("tsconfig.json", '{ "extends": "./base.json" }')
        self.assertIn("TS2322", self.error_of("let n: number = null")[1])
