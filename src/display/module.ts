import { Module } from "../nn/module.js";
import { jupyterDisplay, type MimeBundle } from "./mime.js";
import { moduleTree } from "./module_tree.js";

// Put on the class from here, because nn/ knows nothing of notebooks: `model.layers[3].mlp` as the last line of a cell
// shows its tree, and so does every module that a user writes.
Object.defineProperty(Module.prototype, jupyterDisplay, {
  value(this: Module): MimeBundle {
    return moduleTree(this)[jupyterDisplay]();
  },
  writable: true,
  configurable: true,
});
