// Draws one token for each row from its logits: a block for each row, after argmax. Without topK and topP 4
// bytes a logit in one pass and one warp's share of a second; topK takes four more passes, topP one, and
// either two that list what can be kept. Then only the list is looked at. Bound by what one multiprocessor
// reads of the second-level cache.
//
// Weights are whole numbers, exp(...) in units of 2^-44 (of rows above 2^18 columns, larger ones), so that
// their sums do not depend on an order, and the draw is the same on every run; a weight below the unit is
// never drawn.
#include "cpu/row_advance.h"
#include "cuda/ops.h"
#include "cuda/ops/selection.cuh"

namespace persimmon::cuda {

namespace {

struct SampleCall {
  int32_t* out;  // the arg-max at first
  const float* logits;
  int64_t width;
  float temperature;
  int32_t topK;
  float topP;
  /** A number for each row, or, where there is none, the generator of each row. */
  const double* uniform;
  const int32_t* random;
  /** Columns that may be kept, [rows, width]. */
  int32_t* listed;
  /** Units of mass in a weight of 1. */
  float unit;
};

struct Row {
  const float* logits;
  float max;
  float temperature;
  float unit;

  // Dividing the difference, not the logits, keeps a tiny temperature from making infinities.
  __device__ uint64_t massOf(float x) const {
    if (x != x) return 0;
    return static_cast<uint64_t>((x == max ? 1.0f : expf((x - max) / temperature)) * unit);
  }
};

/** f(logit) for all logits of a row, by all threads of a block; eight are on the way at once. */
template <class F>
__device__ __forceinline__ void forEachLogit(const float* logits, int64_t width, const F& f) {
  constexpr int kBatch = 8;
  const int64_t step = blockDim.x;
  for (int64_t first = threadIdx.x; first < width; first += kBatch * step) {
    float batch[kBatch];
    PERSIMMON_UNROLL
    for (int b = 0; b < kBatch; ++b) {
      const int64_t i = first + b * step;
      batch[b] = logits[i < width ? i : width - 1];
    }
    PERSIMMON_UNROLL
    for (int b = 0; b < kBatch; ++b) {
      if (first + b * step < width) f(batch[b]);
    }
  }
}

/** What the nucleus has to be heavier than, and a logit below which nothing is in it, so that few have to be
 * listed. */
struct NucleusBounds {
  double target;
  float floor;
};

__device__ NucleusBounds nucleusBounds(const Row& row, int64_t width, float floor, float topP) {
  constexpr int kDepths = 3;
  const float depths[kDepths] = {4.0f, 8.0f, 16.0f};
  uint64_t all = 0, masses[kDepths] = {};
  forEachLogit(row.logits, width, [&](float x) {
    if (!(x >= floor)) return;
    const uint64_t mass = row.massOf(x);
    all += mass;
    PERSIMMON_UNROLL
    for (int depth = 0; depth < kDepths; ++depth)
      if (x >= row.max - depths[depth] * row.temperature) masses[depth] += mass;
  });
  const double target = static_cast<double>(topP) * static_cast<double>(totalOfBlock(all));
  PERSIMMON_UNROLL
  for (int depth = 0; depth < kDepths; ++depth) {
    if (static_cast<double>(totalOfBlock(masses[depth])) > target)
      return {target, fmaxf(floor, row.max - depths[depth] * row.temperature)};
  }
  return {target, floor};
}

/** The end of the nucleus: orders above are in it, and listed ones of just this order up to a place of the
 * list. */
struct Nucleus {
  uint32_t order;
  int64_t lastEqual;
};

__device__ Nucleus nucleusOf(const Row& row, const int32_t* listed, int64_t count, double target) {
  const auto massFrom = [&](uint32_t order) {
    uint64_t mass = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
      const float x = row.logits[listed[i]];
      if (orderOf(x) >= order) mass += row.massOf(x);
    }
    return totalOfBlock(mass);
  };
  // The highest order from which on there is enough, a bit at a time.
  uint32_t order = 0;
  for (int bit = 31; bit >= 0; --bit) {
    if (static_cast<double>(massFrom(order | 1u << bit)) > target) order |= 1u << bit;
  }
  const uint64_t above = massFrom(order + 1), each = row.massOf(numberOf(order));
  // How many of equals it takes: at least one, since there is not enough above them.
  int64_t equals = static_cast<int64_t>((target - static_cast<double>(above)) / static_cast<double>(each));
  equals = equals < 1 ? 1 : equals;
  while (!(static_cast<double>(above + static_cast<uint64_t>(equals) * each) > target)) ++equals;
  while (equals > 1 && static_cast<double>(above + static_cast<uint64_t>(equals - 1) * each) > target)
    --equals;
  const auto isEqual = [&](int64_t i) { return uint64_t{orderOf(row.logits[listed[i]]) == order ? 1u : 0u}; };
  return {order, crossing(count, isEqual, 0, static_cast<double>(equals - 1))};
}

__global__ void __launch_bounds__(kSelectionThreads) sampleKernel(SampleCall call) {
  waitForPrevious();
  const int64_t width = call.width, number = blockIdx.x;
  const float* logits = call.logits + number * width;
  const Row row{logits, logits[call.out[number]], call.temperature, call.unit};
  const double uniform =
      call.uniform != nullptr ? call.uniform[number] : cpu::nextUniform(call.random, number);
  if (row.max != row.max) return;  // every logit is NaN, and out is 0
  const bool byRank = call.topK > 0 && call.topK < width, byMass = call.topP > 0 && call.topP < 1;
  if (!byRank && !byMass) {
    const int64_t drawn = crossing(width, [&](int64_t i) { return row.massOf(logits[i]); }, uniform, 0);
    if (threadIdx.x == 0) call.out[number] = static_cast<int32_t>(drawn);
    return;
  }

  float floor = -INFINITY;
  if (byRank) {
    const uint32_t lowest = orderOf(-INFINITY);  // of NaN, too
    const auto orderAt = [&](int64_t i) { return logits[i] != logits[i] ? lowest : orderOf(logits[i]); };
    floor = numberOf(kthLargest(width, call.topK, orderAt).order);
  }
  Nucleus nucleus{0, width};
  NucleusBounds bounds{0, floor};
  if (byMass) bounds = nucleusBounds(row, width, floor, call.topP);
  int32_t* listed = call.listed + number * width;
  const int64_t count = listKept(listed, width, [&](int64_t i) { return logits[i] >= bounds.floor; });
  if (byMass) nucleus = nucleusOf(row, listed, count, bounds.target);
  const auto massAt = [&](int64_t i) -> uint64_t {
    const float x = logits[listed[i]];
    const uint32_t order = orderOf(x);
    if (order < nucleus.order || (order == nucleus.order && i > nucleus.lastEqual)) return 0;
    return row.massOf(x);
  };
  const int64_t drawn = crossing(count, massAt, uniform, 0);
  if (threadIdx.x == 0) call.out[number] = listed[drawn];
}

/** So many units in a weight of 1 that those of a row fit 62 bits. */
float unitFor(int64_t width) {
  int bits = 0;
  while (bits < 62 && (int64_t{1} << bits) < width) ++bits;
  const int shift = 62 - bits < 44 ? 62 - bits : 44;
  return static_cast<float>(int64_t{1} << shift);
}

/** Draws, with a call that has all but the list and the unit. */
void draw(Queue& queue, SampleCall call, int64_t rows) {
  if (rows * call.width == 0) return;
  argmax(queue, call.out, call.logits, rows, call.width);
  if (!(call.temperature > 0)) return;
  call.listed = reinterpret_cast<int32_t*>(
      queue.scratch(static_cast<size_t>(rows) * static_cast<size_t>(call.width) * sizeof(int32_t)));
  call.unit = unitFor(call.width);
  launch(queue, sampleKernel, blocksFor(rows, 1), selectionThreads(call.width), {.overlapping = true}, call);
}

}  // namespace

void sample(Queue& queue, int32_t* out, const float* logits, int64_t rows, int64_t width, float temperature,
            int32_t topK, float topP, const double* uniform) {
  draw(queue, {out, logits, width, temperature, topK, topP, uniform, nullptr, nullptr, 0}, rows);
}

void sampleSeeded(Queue& queue, int32_t* out, const float* logits, int64_t rows, int64_t width,
                  float temperature, int32_t topK, float topP, const int32_t* random) {
  draw(queue, {out, logits, width, temperature, topK, topP, nullptr, random, nullptr, 0}, rows);
}

}  // namespace persimmon::cuda
