// linear for the outputs that a gate leaves open: the rows of weights of the others are not read. What the
// gate is made from (a smaller copy of the matrix) finds the zeros of a squared ReLU before the matrix is
// read.
//
// An open output has the bits of linear (linear_tile.h: the same chain of sums), whatever is open beside it.
//
// Bytes: the rows of weights that are open, 2 or 4 each, once for every row of x, of up to kFewRows; all of
// them, as linear reads them, for more rows, which together leave little shut: of nine zeros in ten, eight
// rows leave 43 %.
#include <cstring>
#include <type_traits>

#include "cpu/ops/linear_pieces.h"
#include "cpu/ops/linear_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

constexpr int64_t kFewRows = 8;
// Open outputs that are summed side by side. Their rows lie apart, so those of the next group are fetched
// meanwhile.
constexpr int kGroup = 4;

template <class T>
struct WhereLinear {
  float* out;
  const float* x;
  const T* weight;
  Weight bias;
  const int32_t* open;
  int64_t inFeatures;
};

/** A gate that is not a number leaves its output open. */
PERSIMMON_INLINE bool isShut(float gate) { return gate <= 0.0f; }

/** N open outputs; `next` are the open ones after them. */
template <int N, class T>
PERSIMMON_INLINE void openOutputs(const WhereLinear<T>& problem, const int32_t* open, const int32_t* next) {
  const int64_t inFeatures = problem.inFeatures, whole = inFeatures / kLanes * kLanes;
  const T *w[N], *ahead[N];
  for (int n = 0; n < N; ++n) {
    w[n] = problem.weight + open[n] * inFeatures;
    ahead[n] = problem.weight + next[n] * inFeatures;
  }
  Vec sums[1][N];
  zeroSums(sums);
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t k = 0; k < whole; k += kLanes) {
    if (k % kLine == 0) {
      for (int n = 0; n < N; ++n) __builtin_prefetch(ahead[n] + k, 0, 3);
    }
    const Vec a = load(problem.x + k);
    for (int n = 0; n < N; ++n) sums[0][n] = fma(a, load(w[n] + k), sums[0][n]);
  }
  const int lanes = static_cast<int>(inFeatures - whole);
  for (int n = 0; n < N; ++n) {
    Vec sum[1][1] = {{sums[0][n]}};
    if (lanes > 0) addLastProducts(sum, problem.x + whole, 0, w[n] + whole, 0, lanes);
    storeSums(sum, problem.out + open[n], 0, problem.bias, open[n], 1);
  }
}

/** The open outputs [begin, end) of the list. */
template <class T>
void openPiece(const WhereLinear<T>& problem, int64_t begin, int64_t end) {
  int64_t i = begin;
  for (; i + kGroup <= end; i += kGroup) {
    const int32_t* open = problem.open + i;
    openOutputs<kGroup>(problem, open, i + 2 * kGroup <= end ? open + kGroup : open);
  }
  for (; i < end; ++i) openOutputs<1>(problem, problem.open + i, problem.open + i);
}

/** Lists what is open in a row of the gate and zeroes what is not. */
int64_t listOpen(int32_t* open, float* out, const float* gate, int64_t outFeatures) {
  std::memset(out, 0, static_cast<size_t>(outFeatures) * sizeof(float));
  int64_t found = 0;
  for (int64_t o = 0; o < outFeatures; ++o) {
    open[found] = static_cast<int32_t>(o);
    found += isShut(gate[o]) ? 0 : 1;
  }
  return found;
}

template <class T>
void fewRows(ThreadPool& pool, WhereLinear<T> problem, const float* gate, int64_t rows, int64_t outFeatures) {
  pool.reserveScratch(static_cast<size_t>(outFeatures + 1) * sizeof(int32_t), 0);
  auto* open = static_cast<int32_t*>(pool.sharedScratch());
  problem.open = open;
  const int64_t rowBytes = problem.inFeatures * static_cast<int64_t>(sizeof(T));
  const int64_t grain = (kPieceBytes / (rowBytes > 0 ? rowBytes : 1) + kGroup) / kGroup * kGroup;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t found = listOpen(open, problem.out, gate, outFeatures);
    pool.weightTraffic().read += found * rowBytes;
    pool.weightTraffic().skipped += (outFeatures - found) * rowBytes;
    if (found * rowBytes <= kOneThreadBytes) {
      openPiece(problem, 0, found);
    } else {
      parallelChunks(pool, found, grain, [&](int64_t begin, int64_t end) { openPiece(problem, begin, end); });
    }
    problem.out += outFeatures;
    problem.x += problem.inFeatures;
    gate += outFeatures;
  }
}

}  // namespace

void linearWhere(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, const float* gate,
                 int64_t rows, int64_t inFeatures, int64_t outFeatures) {
  if (rows == 0 || outFeatures == 0) return;
  if (rows > kFewRows) {
    cpu::PERSIMMON_ISA::linear(pool, out, x, weight, bias, rows, inFeatures, outFeatures);
    parallelChunks(pool, rows * outFeatures, int64_t{1} << 14, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = isShut(gate[i]) ? 0.0f : out[i];
    });
    return;
  }
  withWeight(weight, [&](auto* w) {
    using T = std::remove_cv_t<std::remove_pointer_t<decltype(w)>>;
    fewRows(pool, WhereLinear<T>{out, x, w, bias, nullptr, inFeatures}, gate, rows, outFeatures);
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
