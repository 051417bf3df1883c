/** Persimmon Lab: the model, its parts and its tools, for notebooks and for plain Node. */
export { type ConvertOptions, convertCheckpoint } from "./convert.js";
export * from "./display/index.js";
export { PersimmonError } from "./errors.js";
export {
  type CompareEvalsOptions,
  compareEvals,
  defineTask,
  type EvalComparison,
  type EvalItem,
  type EvalMethod,
  type EvalProgress,
  type EvalResult,
  type EvalServer,
  type EvalTask,
  evalTasks,
  type Flip,
  findTask,
  type LikelihoodQuestion,
  loadRun,
  mcnemarExact,
  mergeRuns,
  openEvalWorker,
  type PromptSwitches,
  parseServer,
  passAtK,
  type RemoteEvalProgress,
  type RunEvalOnServersOptions,
  type RunEvalOptions,
  type RunSummary,
  readItems,
  runEval,
  runEvalOnServers,
  Sandbox,
  type SandboxOptions,
  type ScoredSample,
  type ScoreRunOptions,
  scoreRun,
  type TaskDefinition,
  wilsonInterval,
} from "./evals/index.js";
export { type ChatTurn, chatPrompt, chatStop } from "./generation/chat.js";
export type { GenerateOptions } from "./generation/options.js";
export type { PromptLookupOptions } from "./generation/prompt_lookup.js";
export type { Finish, Generation, Token, TokenStream } from "./generation/token_stream.js";
export { LanguageModel, type Logits, type Prompt } from "./language_model.js";
export { type LoadOptions, loadModel } from "./load_model.js";
export type { PersimmonConfig } from "./model/config.js";
export * as nn from "./nn/index.js";
export { type RandomModelOptions, type RandomShape, randomModel } from "./random_model.js";
export type { AblatedPart, AblationStudy } from "./research/ablation_result.js";
export { type AblationOptions, ablationStudy } from "./research/ablation_study.js";
export type { Activation, ActivationCache, ActivationStack } from "./research/activation_cache.js";
export {
  type ActivationPatchingOptions,
  activationPatching,
  headPatching,
  type NeuronPatchingOptions,
  neuronPatching,
} from "./research/activation_patching.js";
export type { Answer, AnswerToken } from "./research/answer.js";
export { type AttentionPatternsOptions, attentionPatterns } from "./research/attention_patterns.js";
export type { AttentionPatterns, HeadHabits } from "./research/attention_patterns_result.js";
export type { Edit } from "./research/edit.js";
export { type EditFilter, type EditSpec, type EditValues, edits } from "./research/edits.js";
export type { FiringCounter } from "./research/firing.js";
export type { FiringCounts } from "./research/firing_counts.js";
export { type HeadWeights, headWeights, type WeightMatrix } from "./research/head_weights.js";
export type { InterventionHandle } from "./research/intervention_handle.js";
export { type LogitAttributionOptions, logitAttribution } from "./research/logit_attribution.js";
export type { LogitAttribution, LogitPart } from "./research/logit_attribution_result.js";
export { type LogitLensOptions, logitLens } from "./research/logit_lens.js";
export type { LogitLens } from "./research/logit_lens_result.js";
export { mlpSparsity, type SparsityOptions } from "./research/mlp_sparsity.js";
export { type ModelSpeedOptions, modelSpeed } from "./research/model_speed.js";
export type { ModelSpeed, ModelSpeedFigures, Spread } from "./research/model_speed_result.js";
export {
  type NeuronExample,
  type NeuronExamples,
  type NeuronOptions,
  neuronExamples,
} from "./research/neuron_examples.js";
export type { PatchingOptions, PatchingTokens } from "./research/patching_pair.js";
export type { PatchingAxis, PatchingResult } from "./research/patching_result.js";
export { type PredictZerosOptions, predictZeros } from "./research/predict_zeros.js";
export type { CacheOptions } from "./research/run_with_cache.js";
export { weightBytesFigure } from "./research/sparsity_figures.js";
export type { MlpSparsity } from "./research/sparsity_result.js";
export { type SteeringOptions, type SteeringVector, steeringVector } from "./research/steering_vector.js";
export { type WeightBytes, type WeightShape, weightBytesPerToken } from "./research/weight_bytes.js";
export { ZeroPredictor } from "./research/zero_predictor.js";
export type { KvCache, KvSequence } from "./runtime/kv_cache.js";
export { type MemoryPlan, planText } from "./runtime/memory_check.js";
export type { MemoryEstimate } from "./runtime/memory_estimate.js";
export { PrefixCache } from "./runtime/prefix_cache.js";
export type { Site } from "./runtime/sites.js";
export { BandwidthProbe } from "./tensor/bandwidth_probe.js";
export { Device, type MatmulPrecision } from "./tensor/device.js";
export * as ops from "./tensor/ops/index.js";
export { Tensor } from "./tensor/tensor.js";
export type { TokenLogprobs } from "./token_logprobs.js";
export { loadTokenizer, type Tokenizer } from "./tokenizer/index.js";
export { loadZeroPredictor, saveZeroPredictor } from "./zero_predictor_file.js";
