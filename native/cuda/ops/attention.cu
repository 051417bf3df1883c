// Attention in one piece (attention_decode.cuh has its bytes). One token: one launch. Several tokens may see
// one another, so all are first prepared and appended, and then attend.
#include <algorithm>

#include "cuda/ops/attention_decode.cuh"
#include "cuda/ops/attention_tiles.cuh"

namespace persimmon::cuda {

namespace {

/**
 * How many blocks share the keys of a query. At least two blocks for each multiprocessor, since one has too
 * few bytes under way; then the smallest number that leaves about as few idle in the last wave as any: 64
 * heads on 132 multiprocessors take 6 splits, which are 384 blocks and 2.91 waves. At most 32, for the
 * combining, and no more than there can be pieces of keys. One where there are more rows than counters.
 */
int32_t splitsFor(int64_t rows, int64_t capacity, int64_t multiprocessors) {
  if (rows > kMostArrivals) return 1;
  const int64_t most = std::clamp<int64_t>((capacity + kSplitKeys - 1) / kSplitKeys, 1, kMostSplits);
  const int64_t least = std::min(most, (2 * multiprocessors + rows - 1) / rows);
  const auto efficiency = [=](int64_t splits) {
    const int64_t waves = (rows * splits + multiprocessors - 1) / multiprocessors;
    return static_cast<double>(rows * splits) / static_cast<double>(waves * multiprocessors);
  };
  double best = 0;
  for (int64_t splits = least; splits <= most; ++splits) best = std::max(best, efficiency(splits));
  int64_t splits = least;
  while (efficiency(splits) < 0.95 * best) ++splits;
  return static_cast<int32_t>(splits);
}

/** Heads 64 wide whose rows of keys and values can be read 16 bytes at a time. */
bool isFast(const AttendCall& call) {
  const auto isAligned = [](const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; };
  return call.shape.headDim == kFastHeadDim && isAligned(call.cache.keys) && isAligned(call.cache.values);
}

template <class Kernel>
void allowWideHeads(Queue& queue, Kernel kernel, size_t bytes, int32_t headDim) {
  constexpr size_t kMost = size_t{226} << 10;  // of a block of an H100, less what is static
  if (bytes > kMost)
    throw Error("heads of " + std::to_string(headDim) + " dimensions are too wide for attention on the GPU");
  allowShared(queue, kernel, bytes);
}

template <class T>
void attendSplit(Queue& queue, const AttendCall& call) {
  const int64_t rows = call.shape.tokens * call.shape.heads;
  const size_t shared = attendSharedBytes(call.shape.headDim);
  const auto kernel = isFast(call) ? attendKernel<T, true> : attendKernel<T, false>;
  allowWideHeads(queue, kernel, shared, call.shape.headDim);
  launch(queue, kernel, {blocksFor(rows, 1), static_cast<unsigned>(call.splits)}, kAttendThreads,
         {.sharedBytes = shared, .overlapping = true}, call);
}

size_t partialValueBytes(const AttendCall& call) {
  if (call.splits == 1) return 0;
  return roundedUp(
      static_cast<size_t>(call.shape.tokens * call.shape.heads * call.splits * call.shape.headDim) *
      sizeof(float));
}

}  // namespace

size_t planAttend(Queue& queue, AttendCall* call, int64_t capacity) {
  const AttentionShape& shape = call->shape;
  const int64_t rows = shape.tokens * shape.heads;
  // A step of a batch has a token for each sequence, a prompt many: tiles are for those that share their
  // keys.
  call->byTiles =
      shape.tokens >= 16 && shape.tokens > 4 * int64_t{call->places.sequenceCount} && isFast(*call);
  call->splits = call->byTiles ? 1 : splitsFor(rows, capacity, queue.info().multiprocessors);
  return call->splits == 1
             ? 0
             : partialValueBytes(*call) + static_cast<size_t>(rows * call->splits) * sizeof(float2);
}

void attend(Queue& queue, AttendCall call, uint8_t* scratch) {
  call.partialValues = reinterpret_cast<float*>(scratch);
  call.partialSums = reinterpret_cast<float2*>(scratch + partialValueBytes(call));
  call.arrivals = arrivalsOf(queue);
  if (call.byTiles) {
    // Float32 keys would take nine matrix instructions, or six, which are no faster.
    return call.cache.dtype == cpu::DType::kFloat32 ? attendTiles(queue, call)
                                                    : attendMatrixTiles(queue, call);
  }
  withCacheType(call.cache.dtype, [&](auto element) { attendSplit<decltype(element)>(queue, call); });
}

void fusedAttention(Queue& queue, float* z, const float* qkv, const AttentionShape& shape, Weight qNormWeight,
                    Weight qNormBias, Weight kNormWeight, Weight kNormBias, float epsilon, const float* cos,
                    const float* sin, const int32_t* positions, const int32_t* sequences,
                    const CacheView& cache, const AttentionTaps& taps, const AttentionLimits& limits) {
  const int64_t rows = shape.tokens * shape.heads;
  if (rows == 0) return;
  AttendCall call{};
  call.shape = shape;
  call.places = placesOf(shape, positions, sequences, cache, limits);
  call.cache = cache;
  call.work = {qkv, qNormWeight, qNormBias, kNormWeight, kNormBias, epsilon, cos, sin, taps};
  call.scale = kLog2E / sqrtf(static_cast<float>(shape.headDim));
  call.z = z;
  const size_t attendBytes = planAttend(queue, &call, int64_t{cache.pagesPerSequence} * cache.pageTokens);
  if (shape.tokens == 1) return attend(queue, call, queue.scratch(256 + attendBytes));

  // Scratch: whether places are inside | rotated queries | what attend needs.
  const size_t queryBytes = roundedUp(static_cast<size_t>(rows * shape.headDim) * sizeof(float));
  uint8_t* scratch = queue.scratch(256 + queryBytes + attendBytes);
  auto* inside = reinterpret_cast<int32_t*>(scratch);
  auto* qRot = reinterpret_cast<float*>(scratch + 256);
  call.inside = inside;
  checkPlaces(queue, inside, call.places);
  const size_t shared = 4 * static_cast<size_t>(shape.headDim) * sizeof(float);
  allowWideHeads(queue, prepareKernel, shared, shape.headDim);
  launch(queue, prepareKernel, blocksFor(rows, 4), 4 * kWarp, {.sharedBytes = shared, .overlapping = true},
         call, qRot);
  call.q = qRot;
  attend(queue, call, scratch + 256 + queryBytes);
}

}  // namespace persimmon::cuda
