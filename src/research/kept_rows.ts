import type { PassObserver } from "../runtime/pass.js";
import type { Device } from "../tensor/device.js";
import * as ops from "../tensor/ops/index.js";
import { Tensor } from "../tensor/tensor.js";
import type { Activation } from "./activation_cache.js";

/**
 * Takes the values of some positions at some sites out of a prompt that runs in chunks. On the device there is one chunk at
 * a time, of the rows that are kept.
 */
export class KeptRows implements PassObserver {
  readonly activations = new Map<string, Activation>();
  readonly #device: Device;
  readonly #sites: ReadonlySet<string>;
  readonly #positions: readonly number[];
  readonly #tokens: number;
  /** Of the chunk under way, the rows that are kept. */
  readonly #seen = new Map<string, Tensor>();
  /** The position at which the chunk under way begins. */
  #first = 0;

  /**
   * @param positions those that are kept, in the order in which they are wanted
   * @param tokens of the whole prompt
   */
  constructor(device: Device, sites: readonly string[], positions: readonly number[], tokens: number) {
    this.#device = device;
    this.#sites = new Set(sites);
    this.#positions = positions;
    this.#tokens = tokens;
  }

  wants(site: string): boolean {
    return this.#sites.has(site);
  }

  see(site: string, value: Tensor): void {
    const [count, ...rest] = value.shape;
    this.#activation(site, rest);
    const rows = this.#places(count).map((place) => this.#positions[place] - this.#first);
    if (rows.length === 0) return;
    const all = rows.length === count && rows.every((row, index) => row === index);
    const flat = value.reshape([count, value.size / count]);
    const picked = all ? flat : ops.embedding(flat, Tensor.from(this.#device, Int32Array.from(rows)));
    this.#seen.set(site, picked.reshape([rows.length, ...rest]).keep());
  }

  /** Keeps what was seen of a chunk of `count` tokens that is done. */
  async take(count: number): Promise<void> {
    const places = this.#places(count);
    for (const [site, value] of this.#seen) this.#store(site, value.shape, await value.data(), places);
    this.release();
    this.#first += count;
  }

  /** Gives back what was seen of the chunk under way. */
  release(): void {
    for (const value of this.#seen.values()) value.release();
    this.#seen.clear();
  }

  /** Where the rows of a chunk of `count` tokens stand among those that are kept. */
  #places(count: number): number[] {
    const inChunk = (position: number) => position >= this.#first && position < this.#first + count;
    return [...this.#positions.keys()].filter((place) => inChunk(this.#positions[place]));
  }

  #store(
    site: string,
    [, ...rest]: readonly number[],
    values: Float32Array,
    places: readonly number[],
  ): void {
    const { data, shape } = this.#activation(site, rest);
    const [width, wholeWidth] = [rest[rest.length - 1], shape[shape.length - 1]];
    const lines = rest.slice(0, -1).reduce((product, size) => product * size, 1);
    for (const [index, place] of places.entries()) {
      for (let line = 0; line < lines; line++) {
        const from = (index * lines + line) * width;
        data.set(values.subarray(from, from + width), (place * lines + line) * wholeWidth);
      }
    }
  }

  #activation(site: string, rest: readonly number[]): Activation {
    let activation = this.activations.get(site);
    if (activation === undefined) {
      // The last axis of a pattern is the keys, of which an early chunk has fewer; those to come stay 0.
      const last = site.endsWith(".pattern") ? this.#tokens : rest[rest.length - 1];
      const shape = [this.#positions.length, ...rest.slice(0, -1), last];
      const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
      activation = { data, shape, positions: [...this.#positions] };
      this.activations.set(site, activation);
    }
    return activation;
  }
}
