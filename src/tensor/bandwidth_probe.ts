import { PersimmonError } from "../errors.js";
import { native, nativeDType } from "../native.js";
import type { Device } from "./device.js";
import { Tensor } from "./tensor.js";

/** Measures how fast the threads of a device read memory: what no decoding can be faster than. */
export class BandwidthProbe {
  private readonly device: Device;
  private readonly block: Tensor;

  /**
   * @param bytes size of the block that is read; far above the caches: 512 MiB
   * @throws PersimmonError OPTION_INVALID unless it is a multiple of 4 above 0; OUT_OF_MEMORY
   */
  constructor(device: Device, bytes = 512 * 2 ** 20) {
    if (!Number.isInteger(bytes / 4) || bytes <= 0) {
      throw new PersimmonError(
        "OPTION_INVALID",
        `a BandwidthProbe reads a multiple of 4 bytes, above 0; got ${bytes}`,
      );
    }
    this.device = device;
    const buffer = device.stream.reserve(bytes, nativeDType.float32);
    this.block = new Tensor(device, buffer, [bytes / 4], "float32").keep();
    // Written once, so that reads touch real memory and not the system's page of zeros.
    native().fillNormal(device.stream, buffer, bytes / 4, 0, 1, 1, 0);
  }

  /** GB/s of one pass over the block; the first ones of a process may be slower. */
  async measure(): Promise<number> {
    using result = Tensor.empty(this.device, [1]);
    native().readBandwidth(this.device.stream, this.block.buffer, result.buffer);
    const [rate] = await result.data();
    return rate;
  }

  release(): void {
    this.block.release();
  }
}
