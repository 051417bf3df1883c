// Matrix products with weights that are stored by input, [inFeatures, outFeatures]: an input that is zero in
// all rows is not read. After squared ReLU nine inputs in ten are.
//
// Leaving out a zero changes no bit: a sum starts at +0, and adding 0 * weight to it gives it back. (Weights
// that are not finite are kept in the other order, see Tensor.) A sum is taken in parts (input_parts.h; int8
// and int4: of scaled sums of a group of 32), so every number of rows and of threads gives the same bits;
// they differ in rounding from those of linear.cc.
//
// Bytes: the weights of live inputs once for up to kFewRows rows, all of them once per kPanelRows rows for
// more. 16384 x 4096, 2 threads of a Zen 5 server, in ms. One row of bfloat16, in brackets what it took when
// each thread read its own half of every row (medians of five to seven, interleaved): all inputs live 2.9
// (3.7), half of them 1.5 (2.0), a tenth 0.38 (0.50). Rows of bfloat16, all live, beside one another, rounded
// and not: 4 take 2.9 and 2.8, 8 3.3 and 3.6, 16 4.6 and 6.4, 32 8.2 and 12.6. 512 rows: in float32 215 (320
// GFLOP/s), in pairs 123 (556). int8 and int4, in brackets with activations of float32 (medians of five to
// nine, interleaved, memory at 40 to 55 GB/s): one row, all live 1.55 (1.50) and 1.0 (1.4), half 0.92 (0.92)
// and 0.65 (0.85), a tenth 0.19 (0.18) and 0.19 (0.22); 4 rows 2.1 (2.0) and 1.8 (3.4), 16 4.6 (6.0) and 4.8
// (9.8), 512 80 (190) and 80 (205). The figures of int4 were taken with scales that are now and then
// subnormal, which costs time. Another server, which reads 50 GB/s, with scales of the usual size, bfloat16,
// int8 and int4: one row, all live 3.5, 1.8 and 0.96, half 1.75, 0.96 and 0.57, a tenth 0.33, 0.21 and 0.15
// (80, 65 and 100 % of the bandwidth); 4 rows of int8 and int4 2.4 and 1.4, 16 3.4 and 3.0, 512 66 and 59.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cpu/ops/by_input_stream.h"
#include "cpu/ops/integer_by_input_rows.h"
#include "cpu/ops/matmul_panel.h"
#include "cpu/ops/rounded_inputs.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

constexpr int64_t kFewRows = 32;
constexpr int64_t kPanelsAtOnce = 4, kStripColumns = kPanelsAtOnce * kPanelColumns;

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
                                      problem.weight + k * problem.result.outFeatures + column,
                                      problem.result.outFeatures,
                                      inner,
                                      true};
    productPanels(product, scratch, begin, end, columns, kPanelsAtOnce);
    addPart(totals, sums, (end - begin) * kStripColumns, part == 0);
  }
  for (int64_t row = begin; row < end; ++row, totals += kStripColumns) {
    for (int64_t c = 0; c < columns; c += kLanes) problem.result.finish(row, column + c, load(totals + c));
  }
}

template <class Rows, class T>
void panels(ThreadPool& pool, const ByInput<T>& problem, Rows x) {
  const int64_t blocks = (problem.result.rows + kPanelRows - 1) / kPanelRows;
  const int64_t strips = (problem.result.outFeatures + kStripColumns - 1) / kStripColumns;
  eachPiece(pool, blocks * strips, false, [&](float* scratch, int64_t index) {
    const int64_t begin = index / strips * kPanelRows,
                  end = std::min(begin + kPanelRows, problem.result.rows);
    const int64_t column = index % strips * kStripColumns;
    panelParts(problem, x, scratch, begin, end, column,
               std::min(kStripColumns, problem.result.outFeatures - column));
  });
}

template <class T>
void manyRows(ThreadPool& pool, const ByInput<T>& problem) {
  const size_t scratch = (kInnerChunk + 2 * kPanelRows) * kStripColumns * sizeof(float);
  const int64_t blocks = (problem.result.rows + kPanelRows - 1) / kPanelRows;
  pool.weightTraffic().read +=
      blocks * problem.inFeatures * problem.result.outFeatures * static_cast<int64_t>(sizeof(T));
  if constexpr (kHasPairs && !std::is_same_v<T, float>) {
    if (roundsInputs(pool)) {
      panels(pool, problem, pairedRows(pool, problem.x, problem.result.rows, problem.inFeatures, scratch));
      return;
    }
  }
  pool.reserveScratch(0, scratch);
  panels(pool, problem, StoredRows{problem.x, problem.inFeatures});
}

/** Number: float, or InputPair to round the activations. */
template <class Number, class T>
void fewRows(ThreadPool& pool, const ByInput<T>& problem) {
  const int64_t inFeatures = problem.inFeatures, outFeatures = problem.result.outFeatures,
                rows = problem.result.rows;
  const int64_t bytes = inFeatures * outFeatures * static_cast<int64_t>(sizeof(T));
  const bool alone = bytes <= kOneThreadBytes;
  const int64_t parts = partsOf(inFeatures);
  constexpr int64_t kUnit = kStreamColumns<Number>;
  const PartPieces pieces =
      PartPieces::of(parts, (outFeatures + kUnit - 1) / kUnit, kPieceOutputs / kUnit, pool.size(), alone);
  const int64_t columns = pieces.mostUnits * kUnit;
  const int64_t partials = PartialSums::floats(parts, rows, outFeatures);
  const LiveInputs live =
      reserveLive(pool, inFeatures, parts, streamScratch<Number>(rows, inFeatures, columns), partials);
  findLive(live, problem.x, rows, inFeatures, partInputs(inFeatures));
  const int64_t read = live.starts[parts] * outFeatures * static_cast<int64_t>(sizeof(T));
  pool.weightTraffic().read += read;
  pool.weightTraffic().skipped += bytes - read;
  const PartialSums partial = {static_cast<float*>(pool.sharedScratch()), parts, rows, outFeatures};
  eachPiece(pool, pieces.count(), alone, [&](float* scratch, int64_t piece) {
    pieces.at(piece, [&](int64_t part, int64_t unit, int64_t units) {
      const int64_t column = unit * kUnit;
      streamPart<Number>(problem, live, scratch, partial, part, column,
                         std::min(units * kUnit, outFeatures - column));
    });
  });
  addParts(pool, problem.result, partial, alone);
}

}  // namespace

void linearByInput(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  if (rows == 0 || outFeatures == 0) return;
  if (weight.dtype == DType::kInt8 || weight.dtype == DType::kInt4) {
    const auto* bytes = static_cast<const uint8_t*>(weight.data);
    const IntegersByInput problem = {out, x, bytes, weight.scales, bias, rows, inFeatures, outFeatures};
    const auto run = [&]<class Format>(Format) {
      rows <= kFewRows ? fewIntegerRows<Format>(pool, problem) : manyIntegerRows<Format>(pool, problem);
    };
    weight.dtype == DType::kInt8 ? run(Int8ByInput()) : run(Int4ByInput());
    return;
  }
  withWeight(weight, [&](auto* w) {
    using T = std::remove_cv_t<std::remove_pointer_t<decltype(w)>>;
    const ByInput<T> problem = {{out, nullptr, bias, rows, outFeatures}, x, w, inFeatures};
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
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
