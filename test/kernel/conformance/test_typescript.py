"""TypeScript as people write it today, across cells."""

from folder import FolderTestCase


class TypeScript(FolderTestCase):
    def test_every_kind_of_declaration_can_be_declared_anew(self):
        self.evaluate(
            "const v = 1; let w = 2; function f() { return 1 } class C { x = 1 } "
            "type T = string; interface I { a: number } enum E { A }"
        )
        self.evaluate(
            "const v = 'x'; let w = 'y'; function f() { return 'two' } class C { y = 'q' } "
            "type T = number; interface I { b: string } enum E { X = 'x' }"
        )
        text = self.evaluate("const t1: T = 5; const i1: I = { b: 'b' }; [v, w, f(), new C().y, t1, i1.b, "
                             "E.X].join()")
        self.assertEqual(text, "'x,y,two,q,5,b,x'")

    def test_an_import_can_be_declared_anew(self):
        self.evaluate("import { EOL as line } from 'node:os'")
        self.assertEqual(self.evaluate("let line = 4; line"), "4")
        self.assertEqual(self.evaluate("import { sep as line } from 'node:path'; line"), "'/'")

    def test_a_function_sees_what_a_later_cell_assigns(self):
        self.evaluate("let shared = 1; const read = () => shared")
        self.assertEqual(self.evaluate("shared = 9; read()"), "9")

    def test_enums_and_const_enums(self):
        self.evaluate("enum Level { Low = 1, High } const enum Fixed { One = 1, Two }")
        self.assertEqual(self.evaluate("[Level.High, Level[1], Fixed.Two]"), "[ 2, 'Low', 2 ]")

    def test_namespaces(self):
        self.evaluate("namespace Outer { export const a = 1; export namespace Inner { export const b = 2 } }")
        self.assertEqual(self.evaluate("Outer.a + Outer.Inner.b"), "3")

    def test_standard_decorators(self):
        self.evaluate(
            "function loud(method: Function, context: ClassMethodDecoratorContext) {\n"
            "  return function (this: unknown) { return String(context.name) + '!' + method.call(this) }\n}"
        )
        self.assertEqual(self.evaluate("class Dog { @loud bark() { return 'woof' } }\nnew Dog().bark()"),
                         "'bark!woof'")

    def test_generics_keep_their_types_across_cells(self):
        self.evaluate("function first<T>(list: T[]): T { return list[0] }")
        execution = self.run_cell("first([1, 2]).toUpperCase()")
        self.assertEqual(execution.content["ename"], "TypeScriptError")
        self.assertEqual(self.evaluate("first(['a']).toUpperCase()"), "'A'")

    def test_using_disposes_at_the_end_of_its_block(self):
        execution = self.run_cell(
            "{ using r = { [Symbol.dispose]() { console.log('gone') } }; console.log('in') "
            "}\nconsole.log('out')"
        )
        self.assertEqual(execution.text(), "in\ngone\nout\n")

    def test_await_using_at_the_top_of_a_cell(self):
        execution = self.run_cell("await using r = { async [Symbol.asyncDispose]() { console.log('gone') } "
                                  "}; 'end'")
        self.assertEqual((execution.text(), execution.result), ("gone\n", "'end'"))

    def test_satisfies_and_bigint(self):
        self.assertEqual(self.evaluate("const c = { port: 80 } satisfies { port: number }; c.port"), "80")
        self.assertEqual(self.evaluate("2n ** 64n"), "18446744073709551616n")

    def test_the_library_of_es2023(self):
        text = self.evaluate("[[3, 1].toSorted()[0], [1, 2, 3].findLast(x => x < 3), [1, 2].with(0, "
                             "9)[0]].join()")
        self.assertEqual(text, "'1,2,9'")

    def test_library_functions_have_types_exactly_when_node_has_them(self):
        has = self.evaluate("typeof (Array as any).fromAsync") == "'function'"
        execution = self.run_cell("await Array.fromAsync([1, Promise.resolve(2)])")
        self.assertEqual(execution.status, "ok" if has else "error")

    def test_generators(self):
        text = self.evaluate("function* g() { const got = yield 1; yield got; yield* [3] } const it = g(); "
                             "it.next(); [it.next('sent').value, ...it].join()")
        self.assertEqual(text, "'sent,3'")

    def test_top_level_for_await(self):
        execution = self.run_cell("for await (const x of (async function* () { yield 1; yield 2 })()) "
                                  "console.log(x)")
        self.assertEqual(execution.text(), "1\n2\n")

    def test_top_level_await_in_a_declaration_that_a_later_cell_uses(self):
        self.evaluate("const awaited = await Promise.resolve({ n: 7 })")
        self.assertEqual(self.evaluate("awaited.n.toFixed(1)"), "'7.0'")

    def test_declare_global_holds_in_later_cells(self):
        self.evaluate("declare global { interface Array<T> { second(): T } }\n"
                      "Array.prototype.second = function () { return this[1] }")
        self.assertEqual(self.evaluate("['a', 'b'].second().toUpperCase()"), "'B'")

    def test_declare_global_can_be_declared_anew_with_another_type(self):
        self.evaluate("declare global { var everywhere: number }\nglobalThis.everywhere = 8")
        self.evaluate("declare global { var everywhere: string }\nglobalThis.everywhere = 'text'")
        self.assertEqual(self.evaluate("everywhere.length"), "4")

    def test_a_var_of_a_block_belongs_to_the_notebook(self):
        self.evaluate("if (true) { var inBlock = 5 }\nfor (var counter = 0; counter < 3; counter++) {}")
        self.assertEqual(self.evaluate("[inBlock, counter]"), "[ 5, 3 ]")

    def test_labels_and_loops(self):
        text = self.evaluate("let n = 0; outer: for (let i = 0; i < 5; i++) { for (;;) { n++; if (i == 2) "
                             "break outer; "
                             "continue outer } }\nn")
        self.assertEqual(text, "3")

    def test_an_object_literal_is_a_result(self):
        self.assertEqual(self.evaluate("{ a: 1, b: [2] }"), "{ a: 1, b: [ 2 ] }")
        self.assertEqual(self.evaluate("// settings {}\n{ url: 'http://x' } // end }"), "{ url: 'http://x' }")
        self.assertIsNone(self.evaluate("{ const hidden = 1 }"))

    def test_export_default_and_export_lists(self):
        self.evaluate("export default class { z = 1 }")
        self.evaluate("const inner = 5; export { inner as outerName }; export const other = 6")
        self.assertEqual(self.evaluate("outerName + other"), "11")

    def test_type_only_imports_and_exports(self):
        self.evaluate("import type { Stats } from 'node:fs'; import { type Dirent, existsSync } from "
                      "'node:fs'; "
                      "type Both = Stats | Dirent; export type { Both }")
        self.assertEqual(self.evaluate("let both: Both | undefined; existsSync('.')"), "true")

    def test_private_members_accessors_and_static_blocks(self):
        text = self.evaluate("class P { #p = 1; static s = 1; static { P.s = 2 } get p() { return this.#p } "
                             "}; [new P().p, P.s]")
        self.assertEqual(text, "[ 1, 2 ]")

    def test_a_class_extends_one_of_another_cell(self):
        self.evaluate("abstract class Shape { abstract area(): number; twice() { return 2 * this.area() } }")
        self.assertEqual(self.evaluate("class Square extends Shape { area() { return 9 } }; new "
                                       "Square().twice()"), "18")

    def test_a_long_chain_of_inferred_types_across_cells(self):
        self.evaluate("const chain0 = { n: 0 }")
        for i in range(1, 40):
            self.evaluate(f"const chain{i} = {{ n: chain{i - 1}.n + 1, before: chain{i - 1} }}")
        self.assertEqual(self.evaluate("chain39.before.before.n"), "37")

    def test_types_that_no_declaration_file_can_hold(self):
        self.evaluate("class Open { private p = 1; q = 2 } const anonymous = class { private z = 1; y = 3 }")
        self.evaluate("function local() { class Local { a = 4; #h = 5 } return new Local() }")
        self.evaluate("const held = local(); const key = Symbol(); const tagged = Object.assign(() => 1, { tag: 6 })")
        text = self.evaluate("[new Open().q, new anonymous().y, held.a, local().a, tagged.tag, typeof key].join()")
        self.assertEqual(text, "'2,3,4,4,6,symbol'")
        self.assertEqual(self.run_cell("held.noSuchMember").content["ename"], "TypeScriptError")

    def test_a_redeclared_name_leaves_what_was_built_from_the_old_one(self):
        self.evaluate("const base = 1; const derived = { base }")
        self.evaluate("const base = 'text'")
        self.assertEqual(self.evaluate("derived.base.toFixed(1) + base.length"), "'1.04'")

    def test_notebooks_of_tslab_run_unchanged(self):
        execution = self.run_cell('import * as tslab from "tslab"; tslab.display.html("<b>hi</b>")')
        shown = execution.of_type("display_data")
        self.assertEqual(shown[0]["content"]["data"]["text/html"], "<b>hi</b>")

    def test_a_cell_may_begin_like_a_script(self):
        self.assertEqual(self.evaluate("#!/usr/bin/env node\nconst script = 3; script"), "3")

    def test_empty_cells_and_comments_have_no_result(self):
        for code in ("", "  \n", "// nothing", "/* nothing */", ";"):
            self.assertIsNone(self.evaluate(code), code)
