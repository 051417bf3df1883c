/**
 * A small seeded generator (sfc32 by Chris Doty-Humphrey, PractRand), so that a seed gives the same text on every
 * machine. Not for secrets.
 */
export class SeededRandom {
  private readonly state: Uint32Array;
  private count = 0;

  /** @param seed any whole number from 0 to 2^53 − 1 */
  constructor(seed: number) {
    this.state = Uint32Array.of(seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, 0x9e3779b9, 1);
    // The author's recommendation: 12 rounds until the seed has reached all of the state.
    for (let round = 0; round < 12; round++) this.nextWord();
  }

  /** A number in [0, 1) with 53 random bits. */
  next(): number {
    this.count++;
    const high = this.nextWord() >>> 5;
    const low = this.nextWord() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** The four words of the state, as bits: what `ops.sampleSeeded` takes for a row. */
  get words(): Int32Array {
    return new Int32Array(this.state.slice().buffer);
  }

  /** How many numbers it has made. */
  get drawn(): number {
    return this.count;
  }

  /** The numbers that `next` will return, without taking them. */
  ahead(count: number): number[] {
    const before = this.state.slice();
    const numbers = Array.from({ length: count }, () => this.next());
    this.state.set(before);
    this.count -= count;
    return numbers;
  }

  private nextWord(): number {
    const s = this.state;
    const sum = (s[0] + s[1] + s[3]) >>> 0;
    s[3]++;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = s[2] + (s[2] << 3);
    s[2] = ((s[2] << 21) | (s[2] >>> 11)) + sum;
    return sum;
  }
}
