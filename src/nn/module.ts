import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { currentPath, enterModule, finish, withPlace } from "./path.js";
import { currentRunner } from "./runner.js";

/**
 * A part of a model. Its children are ordinary properties; swapping one is an assignment. Authors write `forward`,
 * callers use `call`. Settings that `forward` depends on have to be ordinary properties too, not `#private` ones: a plan
 * that was recorded holds as long as the properties of all modules are what they were.
 */
export abstract class Module<In extends unknown[] = [x: Tensor], Out = Tensor> {
  protected abstract forward(...args: In): Out;

  /** Runs `forward`: intermediates are freed at its end, and taps inside it are named after this module's place. */
  call(...args: In): Out {
    // Errors are caught in here because a runner may keep `forward` and run it again later.
    const forward = (...given: In) => {
      try {
        return scope(() => this.forward(...given));
      } catch (error) {
        throw withPlace(error, this);
      }
    };
    const runner = currentRunner();
    return enterModule(this, () => {
      const result = runner === undefined ? forward(...args) : runner.run(this, args, forward);
      finish(this, result);
      return result;
    });
  }

  /** The name of this module's place while a forward pass runs, such as `layers.3.mlp`; for messages. */
  protected get path(): string {
    return currentPath();
  }
}
