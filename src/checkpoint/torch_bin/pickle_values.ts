/** A name that a pickle refers to, such as `torch.BFloat16Storage`. It stays a name: nothing is imported or called. */
export class PickleGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  toString(): string {
    return `${this.module}.${this.name}`;
  }
}

export class PickleTuple {
  constructor(readonly items: PickleValue[]) {}
}

/** What the reader's owner made of a persistent id or of a call; opaque to the reader. */
export class PickleObject<T = unknown> {
  constructor(readonly value: T) {}
}

/** An instance of a class that is known by name only: what it would have been made of, as plain data. */
export class InertObject {
  /** What BUILD would have set: for a class without methods of its own, its attributes by name. */
  state: PickleValue = null;

  constructor(
    readonly type: PickleGlobal,
    readonly parameters: PickleValue[],
  ) {}
}

export type PickleDict = Map<PickleValue, PickleValue>;

export type PickleValue =
  | null
  | boolean
  | number
  | string
  | PickleGlobal
  | PickleTuple
  | PickleObject
  | InertObject
  | PickleValue[]
  | PickleDict;
