#include "cuda/ops/linear_call.cuh"
#include "cuda/ops/linear_joined.cuh"

namespace persimmon::cuda {

namespace {

NormBefore normOf(const JoinedOps& joined) {
  if (!joined.norm) return {};
  const LayerNormRecord& norm = *joined.norm;
  return {norm.out, norm.x, norm.weight, norm.bias, normThreads(norm.width), norm.epsilon};
}

After afterOf(const JoinedOps& joined) {
  if (const auto* sum = std::get_if<JoinedOps::Sum>(&joined.after)) return {sum->out, sum->addend};
  if (const auto* square = std::get_if<JoinedOps::ReluSquared>(&joined.after)) return {square->out, nullptr};
  return {};
}

}  // namespace

void linearJoined(Queue& queue, const JoinedOps& joined) {
  const LinearRecord& op = joined.linear;
  const LinearCall call = {queue, op.out, op.x, op.weight, op.bias, op.rows, op.inFeatures, op.outFeatures};
  if (op.order == cpu::WeightOrder::kInputs) return linearByInputFewRows(call, afterOf(joined));
  linearFewRows(call, {normOf(joined), afterOf(joined)});
}

}  // namespace persimmon::cuda
