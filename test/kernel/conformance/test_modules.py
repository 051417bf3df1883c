"""What cells import: packages of both kinds, local files, JSON, modules of Node."""

from folder import FolderTestCase

PACKAGE = '{{"name":"{0}","type":"{1}","exports":{2}}}'


class Modules(FolderTestCase):
    files = {
        "helper.ts": "import { deep } from './deep';\nexport const helper = () => 'helper ' + deep();\n",
        "deep.ts": "export function deep() { return 'first' }",
        "folder/index.ts": "export default 'index'",
        "real.ts": "export const real: string = 'ts behind js'",
        "waits.ts": "export const x = await Promise.resolve(7)",
        "cycle_a.ts": "import { b } from './cycle_b'; export const a = 1; export const getB = () => b",
        "cycle_b.ts": "import { a } from './cycle_a'; export const b = 2; export const getA = () => a",
        "types_only.ts": "console.log('side effect'); export type Only = { a: number }",
        "common.js": "module.exports = { v: 1 }",
        "es.mjs": "export const v = 1; await 0",
        "data.json": '{"a": 1}',
        "node_modules/esm-only/package.json": PACKAGE.format("esm-only", "module", '{"import":"./index.js"}'),
        "node_modules/esm-only/index.js": "export default function hello() { return 'esm' }\nexport const n "
                                          "= await 4",
        "node_modules/cjs/package.json": '{"name":"cjs","main":"main.js"}',
        "node_modules/cjs/main.js": "module.exports = function twice(x) { return 2 * x }; "
                                    "module.exports.tag = 'cjs'",
    }

    def test_a_local_file_with_and_without_its_ending(self):
        self.assertEqual(self.evaluate("import { real } from './real'; real"), "'ts behind js'")
        self.assertEqual(self.evaluate("import { real } from './real.ts'; real"), "'ts behind js'")
        self.assertEqual(self.evaluate("import { real } from './real.js'; real"), "'ts behind js'")

    def test_a_folder_with_an_index(self):
        self.assertEqual(self.evaluate("import index from './folder'; index"), "'index'")

    def test_a_changed_file_and_a_changed_dependency_are_seen_by_the_next_import(self):
        self.write("outer.ts", "import { inner } from './inner'; export const outer = () => 'v1 ' + inner")
        self.write("inner.ts", "export const inner = 'one'")
        self.assertEqual(self.evaluate("import { outer } from './outer'; outer()"), "'v1 one'")
        self.write("inner.ts", "export const inner = 'the second'")
        self.assertEqual(self.evaluate("import { outer } from './outer'; outer()"), "'v1 the second'")
        self.assertEqual(self.evaluate("outer()"), "'v1 the second'")
        self.write("outer.ts", "import { inner } from './inner'; export const outer = () => 'version 2 ' + "
                               "inner")
        self.assertEqual(self.evaluate("(await import('./outer')).outer()"), "'version 2 the second'")

    def test_an_unchanged_file_runs_once(self):
        self.write("once.ts", "console.log('runs'); export const n = 1")
        self.assertEqual(self.run_cell("import { n } from './once'; n").text(), "runs\n")
        self.assertEqual(self.run_cell("import { n } from './once'; n").text(), "")

    def test_a_local_file_with_top_level_await_and_files_in_a_cycle(self):
        self.assertEqual(self.evaluate("import { x } from './waits'; x"), "7")
        self.assertEqual(self.evaluate("import { getB } from './cycle_a'; import { getA } from './cycle_b'; "
                                       "getA() + getB()"), "3")

    def test_an_import_of_types_does_not_run_the_file(self):
        execution = self.run_cell("import { Only } from './types_only'; const only: Only = { a: 1 }; only.a")
        self.assertEqual((execution.text(), execution.result), ("", "1"))

    def test_local_javascript_of_both_kinds_is_loaded_again_after_an_edit(self):
        self.assertEqual(self.evaluate("import common from './common'; import { v } from './es.mjs'; "
                                       "common.v + v"), "2")
        self.write("common.js", "module.exports = { v: 10 }")
        self.write("es.mjs", "export const v = 20")
        self.assertEqual(self.evaluate("import common from './common'; import { v } from './es.mjs'; "
                                       "common.v + v"), "30")
        self.assertEqual(self.evaluate("require('./common').v"), "10")

    def test_json_imports(self):
        self.assertEqual(self.evaluate("import data from './data.json'; data.a"), "1")
        self.assertEqual(self.evaluate("import typed from './data.json' with { type: 'json' }; typed.a"), "1")
        self.assertEqual(self.evaluate("(await import('./data.json', { with: { type: 'json' } })).default.a"),
                         "1")
        self.write("data.json", '{"a": 22}')
        self.assertEqual(self.evaluate("[require('./data.json').a, (await import('./data.json')).default.a]"),
                         "[ 22, 22 ]")

    def test_packages_of_both_kinds(self):
        self.assertEqual(self.evaluate("import hello, { n } from 'esm-only'; hello() + n"), "'esm4'")
        self.assertEqual(self.evaluate("import twice, { tag } from 'cjs'; twice(2) + tag"), "'4cjs'")
        self.assertEqual(self.evaluate("require('cjs').tag + (await import('esm-only')).n"), "'cjs4'")

    def test_modules_of_node_in_every_form(self):
        self.assertEqual(self.evaluate("import * as path from 'path'; import fs, { existsSync } from "
                                       "'node:fs'; "
                                       "[path.sep, fs.existsSync === existsSync]"), "[ '/', true ]")
        self.assertEqual(self.evaluate("import os = require('node:os'); os.EOL"), "'\\n'")

    def test_a_package_installed_after_a_failed_import(self):
        self.assertEqual(self.run_cell("import { late } from 'late-package'").status, "error")
        self.assertEqual(self.run_cell("let lateName = 'late-package'; await import(lateName)").status,
                         "error")
        self.assertEqual(self.run_cell("require('late-package')").status, "error")
        self.write("node_modules/late-package/package.json",
                   PACKAGE.format("late-package", "module", '{"types":"./lib.d.ts","default":"./lib.js"}'))
        self.write("node_modules/late-package/lib.js", "export const late = 'here'")
        self.write("node_modules/late-package/lib.d.ts", "export declare const late: string;")
        self.assertEqual(self.evaluate("import { late } from 'late-package'; late.toUpperCase()"), "'HERE'")
        self.assertEqual(self.evaluate("(await import(lateName)).late"), "'here'")
        self.assertEqual(self.run_cell("late.noSuchMember").content["ename"], "TypeScriptError")

    def test_a_missing_module_can_be_caught(self):
        self.assertEqual(self.evaluate("let code; try { require('nowhere') } catch (e: any) { code = e.code "
                                       "}\ncode"), "'MODULE_NOT_FOUND'")

    def test_a_require_that_is_not_reached_loads_nothing(self):
        self.write("loud.js", "console.log('loaded')")
        self.assertEqual(self.run_cell("if (Date.now() < 0) { require('./loud'); await import('./loud.js') "
                                       "}").text(), "")

    def test_import_meta_and_the_names_of_commonjs(self):
        self.assertEqual(self.evaluate("__dirname === process.cwd() && import.meta.dirname === __dirname"),
                         "true")
        self.assertEqual(self.evaluate("import.meta.filename.startsWith(__dirname) && "
                                       "import.meta.url.startsWith('file:')"), "true")
        self.assertEqual(self.evaluate("import.meta.resolve('./real.ts') === new URL('real.ts', "
                                       "import.meta.url).href"), "true")

    def test_exports_from_another_module(self):
        self.evaluate("export { helper as renamed } from './helper'; export * as all from './deep'")
        self.assertEqual(self.evaluate("renamed() + all.deep()"), "'helper firstfirst'")
