// Matrix products with weights that are stored by input, [inFeatures, outFeatures]: an input that is zero in
// all rows is not read. After squared ReLU nine inputs in ten are.
//
// Leaving out a zero changes no bit: a sum starts at +0, and adding 0 * weight to it gives it back. (Weights
// that are not finite are kept in the other order, see Tensor.) A sum is taken in parts (input_parts.h; int4:
// of scaled sums of a group of 32), so every number of rows and of threads gives the same bits; they differ
// in rounding from those of linear.cc, and take activations of int8 and int4 in float32, or in bfloat16 where
// MatmulPrecision::kMedium is wanted and pairs are faster.
//
// Bytes: the weights of live inputs once for up to kFewRows rows, all of them once per kPanelRows rows for
// more. 16384 x 4096, 2 threads of a Zen 5 server, in ms, and in brackets what it took when each thread read
// its own half of every row (medians of five to seven, interleaved). One row of bfloat16, all inputs
// live: 2.9 (3.7); half of them: bfloat16 1.5 (2.0), int8 0.94 (1.4), int4 0.96 (1.2); a tenth: bfloat16 0.38
// (0.50), int8 0.24 (0.35), int4 0.28 (0.36). Rows of bfloat16, all live, later and beside one another,
// rounded and not: 4 take 2.9 and 2.8, 8 3.3 and 3.6, 16 4.6 and 6.4, 32 8.2 and 12.6. 512 rows: in float32
// 215 (320 GFLOP/s), in pairs 123 (556).
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cpu/ops/by_input_stream.h"
#include "cpu/ops/int4_pairs.h"
#include "cpu/ops/matmul_panel.h"
#include "cpu/ops/rounded_inputs.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

constexpr int64_t kFewRows = 32, kFewInt4Rows = 16;
constexpr int64_t kPanelsAtOnce = 4, kStripColumns = kPanelsAtOnce * kPanelColumns;

/** Sixteen outputs of a row: their sum, scaled, with the bias. */
template <class T>
PERSIMMON_INLINE void finish(const ByInput<T>& problem, int64_t row, int64_t column, Vec sum) {
  const int64_t left = problem.outFeatures - column;
  if (problem.scales != nullptr) sum = sum * loadUpTo(problem.scales + column, left);
  // A sum that underflowed to -0 counts as 0: where zeros are left out it may be either.
  sum = sum + zero();
  if (problem.bias.data != nullptr) sum = sum + loadWeight(problem.bias, column, left);
  storeUpTo(problem.out + row * problem.outFeatures + column, sum, left);
}

/** totals = sums of the first part, or totals + sums; a multiple of sixteen. */
PERSIMMON_INLINE void addPart(float* totals, const float* sums, int64_t count, bool isFirst) {
  for (int64_t i = 0; i < count; i += kLanes) {
    store(totals + i, isFirst ? load(sums + i) : load(totals + i) + load(sums + i));
  }
}

/** The result from the sums of all parts. */
template <class Problem>
void addParts(ThreadPool& pool, const Problem& problem, const PartialSums& partial, bool alone) {
  constexpr int64_t kColumns = 512;
  eachPiece(pool, (problem.outFeatures + kColumns - 1) / kColumns, alone, [&](float*, int64_t piece) {
    const int64_t column = piece * kColumns, end = std::min(column + kColumns, problem.outFeatures);
    for (int64_t row = 0; row < problem.rows; ++row) {
      for (int64_t c = column; c < end; c += kLanes) finish(problem, row, c, partial.total(row, c));
    }
  });
}

/** Outputs [column, column + columns) of rows [begin, end), part by part. `scratch`: the panels, and the sums
 * of a part and of all of them. */
template <class Rows, class T>
void panelParts(const ByInput<T>& problem, Rows x, float* scratch, int64_t begin, int64_t end, int64_t column,
                int64_t columns) {
  const int64_t length = partInputs(problem.inFeatures);
  float* sums = scratch + kInnerChunk * kStripColumns;
  float* totals = sums + kPanelRows * kStripColumns;
  for (int64_t part = 0; part < partsOf(problem.inFeatures); ++part) {
    const int64_t k = part * length, inner = std::min(length, problem.inFeatures - k);
    const Product<T, Rows> product = {sums - begin * kStripColumns,
                                      kStripColumns,
                                      x.from(k),
                                      problem.weight + k * problem.outFeatures + column,
                                      problem.outFeatures,
                                      inner,
                                      true};
    productPanels(product, scratch, begin, end, columns, kPanelsAtOnce);
    addPart(totals, sums, (end - begin) * kStripColumns, part == 0);
  }
  for (int64_t row = begin; row < end; ++row, totals += kStripColumns) {
    for (int64_t c = 0; c < columns; c += kLanes) finish(problem, row, column + c, load(totals + c));
  }
}

template <class Rows, class T>
void panels(ThreadPool& pool, const ByInput<T>& problem, Rows x) {
  const int64_t blocks = (problem.rows + kPanelRows - 1) / kPanelRows;
  const int64_t strips = (problem.outFeatures + kStripColumns - 1) / kStripColumns;
  eachPiece(pool, blocks * strips, false, [&](float* scratch, int64_t index) {
    const int64_t begin = index / strips * kPanelRows, end = std::min(begin + kPanelRows, problem.rows);
    const int64_t column = index % strips * kStripColumns;
    panelParts(problem, x, scratch, begin, end, column,
               std::min(kStripColumns, problem.outFeatures - column));
  });
}

template <class T>
void manyRows(ThreadPool& pool, const ByInput<T>& problem) {
  const size_t scratch = (kInnerChunk + 2 * kPanelRows) * kStripColumns * sizeof(float);
  const int64_t blocks = (problem.rows + kPanelRows - 1) / kPanelRows;
  pool.weightTraffic().read +=
      blocks * problem.inFeatures * problem.outFeatures * static_cast<int64_t>(sizeof(T));
  if constexpr (kHasPairs && !std::is_same_v<T, float>) {
    if (roundsInputs(pool)) {
      panels(pool, problem, pairedRows(pool, problem.x, problem.rows, problem.inFeatures, scratch));
      return;
    }
  }
  pool.reserveScratch(0, scratch);
  panels(pool, problem, StoredRows{problem.x, problem.inFeatures});
}

/** Number: float, or InputPair to round the activations. */
template <class Number, class T>
void fewRows(ThreadPool& pool, const ByInput<T>& problem) {
  const int64_t inFeatures = problem.inFeatures, outFeatures = problem.outFeatures, rows = problem.rows;
  const int64_t bytes = inFeatures * outFeatures * static_cast<int64_t>(sizeof(T));
  const bool alone = bytes <= kOneThreadBytes;
  const int64_t parts = partsOf(inFeatures);
  // Whole rows, unless there are more threads than parts.
  const int64_t cuts = alone ? 1 : (pool.size() + parts - 1) / parts,
                most = std::min(kStreamOutputs, (outFeatures + cuts - 1) / cuts);
  constexpr int64_t kUnit = kStreamColumns<Number>;
  const int64_t columns = (most + kUnit - 1) / kUnit * kUnit;
  const int64_t pieces = (outFeatures + columns - 1) / columns;
  const int64_t partials = PartialSums::floats(parts, rows, outFeatures);
  const LiveInputs live =
      reserveLive(pool, inFeatures, parts, streamScratch<Number>(rows, inFeatures, columns), partials);
  findLive(live, problem.x, rows, inFeatures, partInputs(inFeatures));
  const int64_t read = live.starts[parts] * outFeatures * static_cast<int64_t>(sizeof(T));
  pool.weightTraffic().read += read;
  pool.weightTraffic().skipped += bytes - read;
  const PartialSums partial = {static_cast<float*>(pool.sharedScratch()), parts, rows, outFeatures};
  eachPiece(pool, parts * pieces, alone, [&](float* scratch, int64_t piece) {
    const int64_t column = piece % pieces * columns;
    streamPart<Number>(problem, live, scratch, partial, piece / pieces, column,
                       std::min(columns, outFeatures - column));
  });
  addParts(pool, problem, partial, alone);
}

Int4Groups groupsOf(int64_t part, int64_t inFeatures) {
  const int64_t length = partInputs(inFeatures) / kGroupInputs;
  return {part * length, std::min((part + 1) * length, inFeatures / kGroupInputs)};
}

void int4FewRows(ThreadPool& pool, Int4ByInput problem) {
  const int64_t groups = problem.inFeatures / kGroupInputs, outputs = problem.outputs(), rows = problem.rows;
  const int64_t scaleBytes = outputs * static_cast<int64_t>(sizeof(uint16_t));
  const int64_t bytes = problem.inFeatures * outputs / 2 + groups * scaleBytes;
  const bool alone = bytes <= kOneThreadBytes;
  const int64_t room =
      std::max(std::min(outputs, kWaitingSums / rows) / (2 * kInt4Unit), int64_t{1}) * 2 * kInt4Unit;
  const int64_t parts = partsOf(problem.inFeatures), pieces = (outputs + room - 1) / room;
  const bool rounded = roundsInputs(pool);
  const int64_t inputs = rows * problem.inFeatures, partials = PartialSums::floats(parts, rows, outputs);
  const LiveInputs live = problem.live =
      reserveLive(pool, problem.inFeatures, groups, rows * room + kGroupInputs * kInt4Unit,
                  partials + (rounded ? inputs : 0));
  findLive(live, problem.x, rows, problem.inFeatures, kGroupInputs);
  int64_t read = 0;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t count = live.starts[g + 1] - live.starts[g];
    read += count == 0 ? 0 : count * outputs / 2 + scaleBytes;
  }
  pool.weightTraffic().read += read;
  pool.weightTraffic().skipped += bytes - read;
  auto* shared = static_cast<float*>(pool.sharedScratch());
  const PartialSums partial = {shared, parts, rows, outputs};
  if (rounded) problem.x = roundInputs(shared + partials, problem.x, inputs);
  eachPiece(pool, parts * pieces, alone, [&](float* sums, int64_t piece) {
    const int64_t part = piece / pieces, column = piece % pieces * room,
                  columns = std::min(room, outputs - column);
    std::memset(sums, 0, static_cast<size_t>(rows * room) * sizeof(float));
    addInt4Inputs(problem, problem.x, groupsOf(part, problem.inFeatures), sums, room, rows, column, columns);
    for (int64_t row = 0; row < rows; ++row) {
      std::memcpy(partial.at(part, row) + column, sums + row * room,
                  static_cast<size_t>(columns) * sizeof(float));
    }
  });
  addParts(pool, problem, partial, alone);
}

void int4ManyRows(ThreadPool& pool, Int4ByInput problem) {
  const int64_t groups = problem.inFeatures / kGroupInputs, outputs = problem.outputs();
  const int64_t blocks = (problem.rows + kPanelRows - 1) / kPanelRows;
  // Sums wait in the second-level cache.
  constexpr int64_t kRoom = 4 * kInt4Unit, kSums = kPanelRows * kRoom, kPanel = kGroupInputs * kInt4Unit;
  constexpr size_t kPerThread = (2 * kSums + kPanel) * sizeof(float);
  const bool rounded = roundsInputs(pool);
  PairedRows pairs = {};
  if (rounded) {
    pairs = pairedRows(pool, problem.x, problem.rows, problem.inFeatures, kPerThread);
  } else {
    problem.live = reserveLive(pool, problem.inFeatures, groups, kPerThread / sizeof(float));
    for (int64_t g = 0; g <= groups; ++g) problem.live.starts[g] = g * kGroupInputs;
    for (int64_t k = 0; k < problem.inFeatures; ++k) problem.live.inputs[k] = static_cast<int32_t>(k);
  }
  pool.weightTraffic().read +=
      blocks * (problem.inFeatures * outputs / 2 + groups * outputs * static_cast<int64_t>(sizeof(uint16_t)));
  const int64_t pieces = (outputs + kRoom - 1) / kRoom;
  eachPiece(pool, blocks * pieces, false, [&](float* totals, int64_t index) {
    const int64_t begin = index / pieces * kPanelRows, column = index % pieces * kRoom;
    const int64_t n = std::min(kPanelRows, problem.rows - begin), columns = std::min(kRoom, outputs - column);
    float* sums = totals + kSums;
    for (int64_t part = 0; part < partsOf(problem.inFeatures); ++part) {
      const Int4Groups partGroups = groupsOf(part, problem.inFeatures);
      std::memset(sums, 0, static_cast<size_t>(n * kRoom) * sizeof(float));
      if (rounded) {
#if defined(__AVX512BF16__)
        addInt4Pairs(problem, pairs, partGroups, sums, kRoom, begin, begin + n, column, columns);
#endif
      } else {
        addInt4Inputs(problem, problem.x + begin * problem.inFeatures, partGroups, sums, kRoom, n, column,
                      columns);
      }
      addPart(totals, sums, n * kRoom, part == 0);
    }
    for (int64_t row = 0; row < n; ++row) {
      for (int64_t c = 0; c < columns && column + c < problem.outFeatures; c += kLanes) {
        finish(problem, begin + row, column + c, load(totals + row * kRoom + c));
      }
    }
  });
}

}  // namespace

void linearByInput(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  if (rows == 0 || outFeatures == 0) return;
  if (weight.dtype == DType::kInt4) {
    const Int4ByInput problem = {out,
                                 x,
                                 static_cast<const uint8_t*>(weight.data),
                                 static_cast<const uint16_t*>(weight.scales),
                                 bias,
                                 rows,
                                 inFeatures,
                                 outFeatures,
                                 {}};
    rows <= kFewInt4Rows ? int4FewRows(pool, problem) : int4ManyRows(pool, problem);
    return;
  }
  const auto run = [&](auto* w) {
    using T = std::remove_cv_t<std::remove_pointer_t<decltype(w)>>;
    const auto* scales = static_cast<const float*>(weight.scales);  // of int8 only
    const ByInput<T> problem = {out, x, w, scales, bias, rows, inFeatures, outFeatures};
    if (rows > kFewRows) {
      manyRows(pool, problem);
      return;
    }
    if constexpr (kHasPairs && !std::is_same_v<T, float>) {
      if (roundsInputs(pool)) {
        fewRows<InputPair>(pool, problem);
        return;
      }
    }
    fewRows<float>(pool, problem);
  };
  if (weight.dtype == DType::kInt8) {
    run(static_cast<const int8_t*>(weight.data));
  } else {
    withWeight(weight, run);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
