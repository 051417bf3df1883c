export { loadTokenizer, sentencePieceTokenizer, TOKENIZER_FILES } from "./load.js";
export { type DecodeStream, Tokenizer, type TokenizerOptions } from "./tokenizer.js";
