// Attention to keys and values that are at hand. They are copied to the layout of a cache with one long page,
// [head, position, dimension], 16 bytes a number; then the kernels of fusedAttention attend to them.
#include "cuda/ops/attention_call.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

/** Where the tokens stand in that cache, in memory of the GPU. */
struct OwnPlaces {
  int32_t* inside;
  int32_t* page;
  int32_t* positions;
  int32_t* sequences;
};

__global__ void arrangeKernel(float* keys, float* values, OwnPlaces own, const float* k, const float* v,
                              int64_t tokens, int64_t count, int32_t heads, int32_t width, bool causal) {
  waitForPrevious();
  const int64_t stride = int64_t{gridDim.x} * kThreads, first = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (first == 0) {
    *own.inside = 1;
    *own.page = 0;
  }
  for (int64_t token = first; token < tokens; token += stride) {
    own.positions[token] = static_cast<int32_t>(causal ? token : count - 1);
    own.sequences[token] = 0;
  }
  for (int64_t i = first; i < count * heads * width; i += stride) {
    const int64_t d = i % width, key = i / width % count, head = i / width / count;
    keys[i] = k[(key * heads + head) * width + d];
    values[i] = v[(key * heads + head) * width + d];
  }
}

}  // namespace

void attention(Queue& queue, float* z, const float* q, const float* k, const float* v, int64_t tokens,
               int64_t keys, int32_t heads, int32_t headDim, float scale, bool causal) {
  if (tokens * heads * headDim == 0) return;
  AttendCall call{};
  call.shape = {tokens, heads, headDim, 0};
  call.places.sequenceCount = 1;
  call.q = q;
  call.scale = scale * kLog2E;
  call.z = z;
  const size_t attendBytes = planAttend(queue, &call, keys);

  // Scratch: inside, page | positions | sequences | keys | values | what attend needs.
  const size_t tokenBytes = roundedUp(static_cast<size_t>(tokens) * sizeof(int32_t));
  const size_t cacheBytes = roundedUp(static_cast<size_t>(keys * heads * headDim) * sizeof(float));
  uint8_t* scratch = queue.scratch(256 + 2 * tokenBytes + 2 * cacheBytes + attendBytes);
  const OwnPlaces own{reinterpret_cast<int32_t*>(scratch), reinterpret_cast<int32_t*>(scratch) + 1,
                      reinterpret_cast<int32_t*>(scratch + 256),
                      reinterpret_cast<int32_t*>(scratch + 256 + tokenBytes)};
  auto* ownKeys = reinterpret_cast<float*>(scratch + 256 + 2 * tokenBytes);
  auto* ownValues = reinterpret_cast<float*>(scratch + 256 + 2 * tokenBytes + cacheBytes);
  call.cache = {ownKeys, ownValues, own.page, 1, static_cast<int32_t>(keys)};
  call.places.positions = own.positions;
  call.places.sequences = own.sequences;
  call.inside = own.inside;
  launch(queue, arrangeKernel,
         blocksFor(keys * heads * headDim > tokens ? keys * heads * headDim : tokens, kThreads), kThreads,
         {.overlapping = true}, ownKeys, ownValues, own, k, v, tokens, keys, heads, headDim, causal);
  attend(queue, call, scratch + 256 + 2 * tokenBytes + 2 * cacheBytes);
}

}  // namespace persimmon::cuda
