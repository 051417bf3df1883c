// How fast a device copies its memory: what the figures of a GPU are a share of.
import { Tensor } from "../../dist/src/index.js";

export class CopyBandwidth {
  /** @param bytes of the block that is copied; far above the caches */
  constructor(device, bytes) {
    this.device = device;
    this.bytes = bytes;
    this.from = Tensor.from(device, new Float32Array(bytes / 4).fill(1)).keep();
    this.to = this.from.copy().keep();
  }

  /** GB/s, counting what is read and what is written, over ten copies. */
  measure(copies = 10) {
    const { stream } = this.device;
    this.to.copyFrom(this.from);
    stream.synchronize();
    const started = performance.now();
    for (let i = 0; i < copies; i++) this.to.copyFrom(this.from);
    stream.synchronize();
    return (2 * this.bytes * copies) / 1e6 / (performance.now() - started);
  }

  release() {
    this.from.release();
    this.to.release();
  }
}
