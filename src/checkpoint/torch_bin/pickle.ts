import { PersimmonError } from "../../errors.js";
import { ByteReader } from "./byte_reader.js";
import { globalList, globalsIn } from "./pickle_globals.js";
import {
  InertObject,
  type PickleDict,
  PickleGlobal,
  PickleTuple,
  type PickleValue,
} from "./pickle_values.js";

/** What a pickle may refer to. */
export interface PickleRules {
  /** Every global that a file may name, as `module.name`; one with another is refused. */
  globals: ReadonlySet<string>;
  /** Those of them that instances may be made of, as data without behaviour (`InertObject`). */
  inert: ReadonlySet<string>;
  persistentLoad(id: PickleValue): PickleValue;
  /** The value of a call of a global that is not inert. It is computed here, never by the code that the pickle names. */
  call(callable: PickleGlobal, parameters: PickleValue[]): PickleValue;
}

// 580 tensors make 12,000 values. A value takes as little as one byte of the pickle, but up to 200 bytes of memory.
const MOST_VALUES = 250_000;
const MARK = Symbol("mark");
type Slot = PickleValue | typeof MARK;

/**
 * Reads a protocol-2 pickle made of plain values, lists, tuples, dictionaries, persistent ids and calls of allowed
 * globals. Opcodes: CPython's Lib/pickletools.py. No recursion, bounded memory.
 *
 * @throws PersimmonError PICKLE_REFUSED, with all globals that it names, for a global or an opcode outside the lists; PICKLE_INVALID for a damaged stream or one that
 *   makes more than 250,000 values
 */
export function readPickle(bytes: Buffer, where: string, rules: PickleRules): PickleValue {
  return new Machine(bytes, where, rules).run();
}

class Machine {
  private readonly stack: Slot[] = [];
  private readonly memo = new Map<number, PickleValue>();
  private readonly input: ByteReader;
  private values = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly where: string,
    private readonly rules: PickleRules,
  ) {
    this.input = new ByteReader(bytes, where);
  }

  run(): PickleValue {
    if (this.input.byte() !== 0x80 || this.input.byte() !== 2)
      throw this.invalid("expected a pickle of protocol 2");
    for (;;) {
      const opcode = this.input.byte();
      if (opcode === 0x2e /* STOP */) return this.finish();
      this.step(opcode);
    }
  }

  private finish(): PickleValue {
    const value = this.pop();
    if (this.stack.length > 0) throw this.invalid(`${this.stack.length} values are left over at its end`);
    return value;
  }

  private step(opcode: number): void {
    const operation = this.operations.get(String.fromCharCode(opcode));
    if (operation === undefined) {
      throw this.refused(`opcode 0x${opcode.toString(16)} at byte ${this.input.position - 1}`);
    }
    operation();
  }

  private readonly operations = new Map<string, () => void>([
    ["(", () => this.pushMark()],
    ["N", () => this.push(null)],
    ["\x88", () => this.push(true)],
    ["\x89", () => this.push(false)],
    ["K", () => this.push(this.input.byte())],
    ["M", () => this.push(this.input.uint16())],
    ["J", () => this.push(this.input.int32())],
    ["\x8a", () => this.push(this.input.longInteger(this.input.byte()))],
    ["G", () => this.push(this.input.doubleBigEndian())],
    ["X", () => this.push(this.input.text(this.input.uint32()))],
    ["c", () => this.push(this.global(this.input.line(), this.input.line()))],
    ["}", () => this.push(new Map())],
    ["]", () => this.push([])],
    [")", () => this.push(new PickleTuple([]))],
    ["\x85", () => this.push(this.tupleOf(1))],
    ["\x86", () => this.push(this.tupleOf(2))],
    ["\x87", () => this.push(this.tupleOf(3))],
    ["t", () => this.push(new PickleTuple(this.popToMark()))],
    ["q", () => this.remember(this.input.byte())],
    ["r", () => this.remember(this.input.uint32())],
    ["h", () => this.recall(this.input.byte())],
    ["j", () => this.recall(this.input.uint32())],
    ["Q", () => this.push(this.rules.persistentLoad(this.pop()))],
    ["R", () => this.reduce()],
    ["\x81", () => this.newObject()],
    ["s", () => this.setItems(this.tupleOf(2).items)],
    ["u", () => this.setItems(this.popToMark())],
    ["a", () => this.append([this.pop()])],
    ["e", () => this.append(this.popToMark())],
    ["b", () => this.build()],
  ]);

  private push(value: PickleValue): void {
    if (++this.values > MOST_VALUES) throw this.invalid(`it makes more than ${MOST_VALUES} values`);
    this.stack.push(value);
  }

  private pushMark(): void {
    this.push(null);
    this.stack[this.stack.length - 1] = MARK;
  }

  private pop(): PickleValue {
    const value = this.stack.pop();
    if (value === undefined || value === MARK) throw this.invalid("it takes a value from an empty stack");
    return value;
  }

  private popToMark(): PickleValue[] {
    const mark = this.stack.lastIndexOf(MARK);
    if (mark < 0) throw this.invalid("it closes a group that was never opened");
    const items = this.stack.splice(mark + 1) as PickleValue[];
    this.stack.pop();
    return items;
  }

  private tupleOf(count: number): PickleTuple {
    const items: PickleValue[] = [];
    for (let index = 0; index < count; index++) items.unshift(this.pop());
    return new PickleTuple(items);
  }

  private top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined || value === MARK) throw this.invalid("it uses a value of an empty stack");
    return value;
  }

  private remember(index: number): void {
    this.memo.set(index, this.top());
    if (this.memo.size > MOST_VALUES) throw this.invalid(`it stores more than ${MOST_VALUES} values`);
  }

  private recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.invalid(`it recalls value ${index}, which was never stored`);
    this.push(value);
  }

  private global(module: string, name: string): PickleGlobal {
    const global = new PickleGlobal(module, name);
    if (!this.rules.globals.has(global.toString())) {
      throw this.refused(`a reference to ${JSON.stringify(global.toString())}`);
    }
    return global;
  }

  private reduce(): void {
    const parameters = this.pop();
    const callable = this.pop();
    if (!(callable instanceof PickleGlobal) || !(parameters instanceof PickleTuple)) {
      throw this.invalid("it calls something that is not a global");
    }
    const isInert = this.rules.inert.has(callable.toString());
    this.push(
      isInert ? new InertObject(callable, parameters.items) : this.rules.call(callable, parameters.items),
    );
  }

  /** `type.__new__(type, ...parameters)`, as protocol 2 writes instances. */
  private newObject(): void {
    const at = this.input.position - 1;
    const parameters = this.pop();
    const type = this.pop();
    if (!(type instanceof PickleGlobal) || !this.rules.inert.has(type.toString())) {
      throw this.refused(`opcode 0x81 at byte ${at}`);
    }
    if (!(parameters instanceof PickleTuple)) throw this.invalid("it makes an object without parameters");
    this.push(new InertObject(type, parameters.items));
  }

  private setItems(items: PickleValue[]): void {
    const target = this.top();
    if (!(target instanceof Map) || items.length % 2 !== 0)
      throw this.invalid("it sets items of no dictionary");
    for (let index = 0; index < items.length; index += 2)
      this.setItem(target, items[index], items[index + 1]);
  }

  private setItem(target: PickleDict, key: PickleValue, value: PickleValue): void {
    if (typeof key !== "string" && typeof key !== "number")
      throw this.invalid("a dictionary key is not text");
    if (target.has(key)) throw this.invalid(`a dictionary has the key ${JSON.stringify(key)} twice`);
    target.set(key, value);
  }

  private append(items: PickleValue[]): void {
    const target = this.top();
    if (!Array.isArray(target)) throw this.invalid("it appends to what is not a list");
    for (const item of items) target.push(item);
  }

  /**
   * Attributes: of an inert object they are kept; those of an OrderedDict are not, since state dicts carry `_metadata`
   * (module versions), which weights do not need.
   */
  private build(): void {
    const state = this.pop();
    const target = this.top();
    if (target instanceof InertObject) target.state = state;
    else if (!(target instanceof Map)) throw this.invalid("it sets attributes of what is not a dictionary");
  }

  private invalid(message: string): PersimmonError {
    return new PersimmonError("PICKLE_INVALID", `${this.where}: the pickle is damaged: ${message}.`);
  }

  private refused(what: string): PersimmonError {
    const named = globalList(globalsIn(this.bytes));
    const allowed = [...this.rules.globals].join(", ");
    return new PersimmonError(
      "PICKLE_REFUSED",
      `${this.where}: refused a pickle with ${what}, which weights do not need. Nothing was executed. It names ${named}; ` +
        `allowed are ${allowed}. Do not load it in torch unless you trust its source; convert it to safetensors there.`,
    );
  }
}
