/** A trie node without a child under a byte. */
export const NO_NODE = -1;

/** Value of a node at which no piece ends. */
export const NO_PIECE = -1;

/**
 * A trie over the bytes of pieces, kept in one open-addressing hash table: the key is (node, byte), the value
 * the child. For 262,144 pieces (about a million nodes) it is built in a quarter of a second, where placing a
 * double array of the same pieces takes longer than all the rest of loading.
 */
export class PieceTrie {
  /** Root of the trie. */
  static readonly root = 0;
  /** A node and a byte have to fit the 32 bits of a key. */
  static readonly maxNodes = 0xffffff;

  /** Id of the piece that ends at a node, or `NO_PIECE`. */
  readonly values: Int32Array;
  /**
   * Pairs of key (`node << 8 | byte`, or `EMPTY`) and child, side by side so that a step touches one cache
   * line.
   */
  private readonly table: Int32Array;
  private readonly mask: number;
  /** Children of the root by byte: every position of every text starts there, so it skips the hash. */
  private readonly first: Int32Array = new Int32Array(256).fill(NO_NODE);
  private nodes = 1;

  /**
   * @param maxNodes bytes of all the pieces to be added, plus 1 for the root; at most `PieceTrie.maxNodes`
   */
  constructor(maxNodes: number) {
    let slots = 1024;
    while (slots < maxNodes * 1.5) slots *= 2;
    this.table = new Int32Array(slots * 2);
    for (let slot = 0; slot < slots; slot++) this.table[slot * 2] = EMPTY;
    this.mask = slots - 1;
    this.values = new Int32Array(maxNodes + 1).fill(NO_PIECE);
  }

  /**
   * Adds a piece.
   *
   * @returns the id of a piece with the same bytes that was there before, or `NO_PIECE`
   */
  add(bytes: Uint8Array, start: number, end: number, id: number): number {
    let node = PieceTrie.root;
    for (let at = start; at < end; at++) node = this.childOrNew(node, bytes[at]!);
    const before = this.values[node]!;
    if (before === NO_PIECE) this.values[node] = id;
    return before;
  }

  /** Child of a node under a byte, or `NO_NODE`. */
  child(node: number, byte: number): number {
    if (node === PieceTrie.root) return this.first[byte]!;
    const key = (node << 8) | byte;
    const { table, mask } = this;
    let slot = hash(key) & mask;
    for (;;) {
      const found = table[slot * 2]!;
      if (found === key) return table[slot * 2 + 1]!;
      if (found === EMPTY) return NO_NODE;
      slot = (slot + 1) & mask;
    }
  }

  /** Id of the piece that is exactly these bytes, or `NO_PIECE`. */
  find(bytes: Uint8Array): number {
    let node: number = PieceTrie.root;
    for (let at = 0; at < bytes.length; at++) {
      node = this.child(node, bytes[at]!);
      if (node === NO_NODE) return NO_PIECE;
    }
    return this.values[node]!;
  }

  private childOrNew(node: number, byte: number): number {
    const found = this.child(node, byte);
    if (found !== NO_NODE) return found;
    const child = this.nodes++;
    if (node === PieceTrie.root) {
      this.first[byte] = child;
      return child;
    }
    const key = (node << 8) | byte;
    let slot = hash(key) & this.mask;
    while (this.table[slot * 2] !== EMPTY) slot = (slot + 1) & this.mask;
    this.table[slot * 2] = key;
    this.table[slot * 2 + 1] = child;
    return child;
  }
}

/** As a key this would be node 0xffffff under byte 0xff, a node that `maxNodes` keeps out. */
const EMPTY = -1;

/** Mixes a key so that neighbouring nodes spread over the table (one round of MurmurHash3's finaliser). */
function hash(key: number): number {
  const mixed = Math.imul(key ^ (key >>> 15), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}
