// Draws one token for each row from its logits: 4 bytes a logit in each of two passes by many blocks, with
// topK or topP in a third (sample_pieces.cuh). Then one block of each row looks at the piece that the draw
// falls in, or at the list of what can be kept, in shared memory where it has 2,048 or fewer.
#include "cpu/row_advance.h"
#include "cuda/ops.h"
#include "cuda/ops/sample_pieces.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kListInShared = 2048;

/** Orders and masses of the columns that a row has listed, in order of column. */
struct Listed {
  Row row;
  const int32_t* columns;
  int64_t count;
  // Of each column, where there are few.
  const uint32_t* orders;
  const uint64_t* masses;

  __device__ __forceinline__ uint32_t orderAt(int64_t i) const {
    return count <= kListInShared ? orders[i] : orderOf(row.logits[columns[i]]);
  }
  __device__ __forceinline__ uint64_t massAt(int64_t i) const {
    return count <= kListInShared ? masses[i] : row.massOf(row.logits[columns[i]]);
  }
  /** The mass of all from an order on, in all threads of a block. */
  __device__ uint64_t massFrom(uint32_t order) const {
    uint64_t mass = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
      if (orderAt(i) >= order) mass += massAt(i);
    return totalOfBlock(mass);
  }
};

/** The end of the nucleus: orders above are in it, and listed ones of just this order up to a place of the
 * list. */
struct Nucleus {
  uint32_t order;
  int64_t lastEqual;
};

__device__ Nucleus nucleusOf(const Listed& listed, double target) {
  // The highest order from which on there is enough, a bit at a time.
  uint32_t order = 0;
  for (int bit = 31; bit >= 0; --bit) {
    if (static_cast<double>(listed.massFrom(order | 1u << bit)) > target) order |= 1u << bit;
  }
  const uint64_t above = listed.massFrom(order + 1), each = listed.row.massOf(numberOf(order));
  // How many of equals it takes: at least one, since there is not enough above them.
  int64_t equals = static_cast<int64_t>((target - static_cast<double>(above)) / static_cast<double>(each));
  equals = equals < 1 ? 1 : equals;
  while (!(static_cast<double>(above + static_cast<uint64_t>(equals) * each) > target)) ++equals;
  while (equals > 1 && static_cast<double>(above + static_cast<uint64_t>(equals - 1) * each) > target)
    --equals;
  const auto isEqual = [&](int64_t i) { return uint64_t{listed.orderAt(i) == order ? 1u : 0u}; };
  return {order, crossing(listed.count, isEqual, 0, static_cast<double>(equals - 1))};
}

/** The column at which the mass of all before it exceeds a share of the whole. */
__device__ int64_t drawOfAll(const SampleCall& call, const Row& row, const PieceSums* sums, double uniform) {
  const auto massOfPiece = [&](int64_t i) { return sums[i].mass[kLastBound]; };
  const int64_t piece = crossing(call.pieces, massOfPiece, uniform, 0);
  uint64_t before = 0, all = 0;
  for (int64_t i = threadIdx.x; i < call.pieces; i += blockDim.x) {
    all += massOfPiece(i);
    if (i < piece) before += massOfPiece(i);
  }
  before = totalOfBlock(before);
  const double target = uniform * static_cast<double>(totalOfBlock(all));
  const int64_t begin = piece * kRowPiece,
                size = call.width - begin < kRowPiece ? call.width - begin : kRowPiece;
  const auto massAt = [&](int64_t i) { return row.massOf(row.logits[begin + i]); };
  return begin + crossing(size, massAt, 0, target, before);
}

/** The same of what topK and topP keep. */
__device__ int64_t drawOfListed(const SampleCall& call, const Listed& listed, double target, double uniform) {
  uint32_t floor = 0;
  if (call.byRank()) {
    const auto orderAt = [&](int64_t i) { return listed.orderAt(i); };
    if (listed.count > call.topK) floor = kthLargest(listed.count, call.topK, orderAt).order;
    target = static_cast<double>(call.topP) * static_cast<double>(listed.massFrom(floor));
  }
  Nucleus nucleus{0, listed.count};
  if (call.byMass()) nucleus = nucleusOf(listed, target);
  const auto massAt = [&](int64_t i) -> uint64_t {
    const uint32_t order = listed.orderAt(i);
    if (order < floor || order < nucleus.order || (order == nucleus.order && i > nucleus.lastEqual)) return 0;
    return listed.massAt(i);
  };
  return listed.columns[crossing(listed.count, massAt, uniform, 0)];
}

/** A block for each row. */
__global__ void __launch_bounds__(kSelectionThreads) sampleKernel(SampleCall call) {
  __shared__ uint64_t masses[kListInShared];
  __shared__ uint32_t orders[kListInShared];
  waitForPrevious();
  const int64_t number = blockIdx.x;
  const Row row{call.logits + number * call.width, call.ranges[number], call.temperature, call.unit};
  const PieceSums* sums = call.sums + number * call.pieces;
  const double uniform =
      call.uniform != nullptr ? call.uniform[number] : cpu::nextUniform(call.random, number);
  int64_t drawn = 0;
  if (row.range.max != row.range.max) {
    drawn = 0;  // every logit is NaN
  } else if (!call.byRank() && !call.byMass()) {
    drawn = drawOfAll(call, row, sums, uniform);
  } else {
    const RowBound bound = boundOfRow(call, sums);
    const Listed listed = {row, call.listed + number * call.width,
                           countOfPieces(sums, call.pieces, bound.bound), orders, masses};
    if (listed.count <= kListInShared) {
      for (int64_t i = threadIdx.x; i < listed.count; i += blockDim.x) {
        const float x = row.logits[listed.columns[i]];
        orders[i] = orderOf(x);
        masses[i] = row.massOf(x);
      }
      __syncthreads();
    }
    drawn = drawOfListed(call, listed, bound.target, uniform);
  }
  if (threadIdx.x == 0) call.out[number] = static_cast<int32_t>(drawn);
}

/** So many units in a weight of 1 that those of a row fit 62 bits. */
float unitFor(int64_t width) {
  int bits = 0;
  while (bits < 62 && (int64_t{1} << bits) < width) ++bits;
  const int shift = 62 - bits < 44 ? 62 - bits : 44;
  return static_cast<float>(int64_t{1} << shift);
}

/** Draws, with a call that has all but the unit and working memory. */
void draw(Queue& queue, SampleCall call, int64_t rows) {
  if (rows * call.width == 0) return;
  if (!(call.temperature > 0)) {
    argmax(queue, call.out, call.logits, rows, call.width);
    return;
  }
  call.unit = unitFor(call.width);
  call.pieces = rowPiecesOf(call.width);
  const bool lists = call.byRank() || call.byMass();
  const int64_t pieces = rows * call.pieces;
  size_t bytes = 0;
  const auto reserve = [&](int64_t count, size_t size) {
    const size_t begin = bytes;
    bytes += (static_cast<size_t>(count) * size + 15) / 16 * 16;
    return begin;
  };
  const size_t best = reserve(pieces, sizeof *call.best), sums = reserve(pieces, sizeof *call.sums),
               ranges = reserve(rows, sizeof *call.ranges),
               largest = reserve(call.byRank() ? pieces * kPieceWarps : 0, sizeof *call.largest),
               listed = reserve(lists ? rows * call.width : 0, sizeof *call.listed);
  uint8_t* scratch = queue.scratch(bytes);
  call.best = reinterpret_cast<uint64_t*>(scratch + best);
  call.sums = reinterpret_cast<PieceSums*>(scratch + sums);
  call.ranges = reinterpret_cast<RowRange*>(scratch + ranges);
  call.largest = call.byRank() ? reinterpret_cast<uint32_t*>(scratch + largest) : nullptr;
  call.listed = reinterpret_cast<int32_t*>(scratch + listed);
  largestOfPieces(queue, nullptr, call.best, call.largest, call.logits, rows, call.width);
  launch(queue, sampleSumsKernel, blocksFor(pieces, 1), kPieceThreads, {.overlapping = true}, call);
  if (lists)
    launch(queue, sampleListKernel, blocksFor(pieces, 1), kPieceThreads, {.overlapping = true}, call);
  launch(queue, sampleKernel, blocksFor(rows, 1), selectionThreads(call.width), {.overlapping = true}, call);
}

}  // namespace

void sample(Queue& queue, int32_t* out, const float* logits, int64_t rows, int64_t width, float temperature,
            int32_t topK, float topP, const double* uniform) {
  draw(queue, {out, logits, width, temperature, topK, topP, uniform, nullptr}, rows);
}

void sampleSeeded(Queue& queue, int32_t* out, const float* logits, int64_t rows, int64_t width,
                  float temperature, int32_t topK, float topP, const int32_t* random) {
  draw(queue, {out, logits, width, temperature, topK, topP, nullptr, random}, rows);
}

}  // namespace persimmon::cuda
