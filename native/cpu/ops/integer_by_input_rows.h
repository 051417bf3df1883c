// How linearByInput goes through int8 and int4 weights: few rows read those of live inputs once, whole rows
// of them in parts as in by_input_stream.h; many rows take all of them in columns of 64 or 128 outputs.
#pragma once

#include "cpu/ops/by_input_result.h"
#include "cpu/ops/integer_one_row.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// Rows of activations that share a panel of weights; with more, blocks of rows go to different threads. Their
// sums for 64 outputs take 32 KiB.
constexpr int64_t kIntegerBlockRows = 128;
/** How many lines of 64 bytes are fetched before those in use are done. */
constexpr int64_t kLinesAhead = 128;

template <class Format>
ByInputResult resultOf(const IntegersByInput& problem) {
  const auto* scales = Format::kScalesOutputs ? static_cast<const float*>(problem.scales) : nullptr;
  return {problem.out, scales, problem.bias, problem.rows, problem.outFeatures};
}

/** The result for kOutputs outputs of a row. */
template <class Format>
PERSIMMON_INLINE void finishUnit(const ByInputResult& result, int64_t row, int64_t column,
                                 const float* sums) {
  float ordered[Format::kOutputs];
  inOrder<Format>(ordered, sums);
  for (int64_t c = 0; c < Format::kOutputs && column + c < result.outFeatures; c += kLanes) {
    result.finish(row, column + c, load(ordered + c));
  }
}

/** Groups [begin, end) of the inputs of a part. */
struct InputGroups {
  int64_t begin, end;

  static InputGroups ofPart(int64_t part, const IntegersByInput& problem) {
    const int64_t length = partInputs(problem.inFeatures) / kGroupInputs;
    return {part * length, std::min((part + 1) * length, problem.groups())};
  }
};

/** Where an input of a group has its byte in ActivationGroup::words. */
constexpr int64_t wordPlace(int64_t input) { return input / 8 * 8 + input % 2 * 4 + input % 8 / 2; }

/** The numbers of some inputs of a group, one after another, zeros up to a whole quad; their sum is that of
 * the group, whose other numbers are zero. */
PERSIMMON_INLINE void pickActivations(ActivationGroup* out, const ActivationGroup& all, const int32_t* inputs,
                                      int64_t count, int64_t firstInput) {
  int8_t* words = out->words[0][0];
  const int8_t* from = all.words[0][0];
  for (int64_t i = 0; i < count; ++i) words[i] = from[wordPlace(inputs[i] - firstInput)];
  for (int64_t i = count; i % 4 != 0; ++i) words[i] = 0;
  out->sum = all.sum;
  out->scale = all.scale;
}

/** The live inputs of one part, group by group. */
template <class Format>
struct LiveGroups {
  const IntegersByInput& problem;
  const LiveInputs& live;
  InputGroups groups;
  int64_t firstByte;  // of the rows of weights

  int64_t count(int64_t group) const { return live.starts[group + 1] - live.starts[group]; }
  const int32_t* inputs(int64_t group) const { return live.inputs + live.starts[group]; }
  /** The first group from `group` on that has live inputs, or groups.end. */
  int64_t next(int64_t group) const {
    while (group < groups.end && count(group) == 0) ++group;
    return group;
  }
  PERSIMMON_INLINE GroupWeights weights(int64_t group) const {
    const int64_t n = count(group), bytes = Format::rowBytes(problem);
    const int32_t* list = inputs(group);
    GroupWeights all;
    all.group = group;
    all.count = n;
    all.quads = (n + 3) / 4;
    for (int64_t i = 0; i < 4 * all.quads; ++i) {
      all.inputs[i] = problem.weight + list[i < n ? i : 0] * bytes + firstByte;
    }
    return all;
  }
  /** What a row has of a group. */
  PERSIMMON_INLINE ActivationGroup activations(int64_t row, int64_t group) const {
    const int64_t first = group * kGroupInputs;
    ActivationGroup all, picked;
    roundActivations(&all, problem.x + row * problem.inFeatures + first, problem.inFeatures - first);
    pickActivations(&picked, all, inputs(group), count(group), first);
    return picked;
  }
};

/** sums[units of outputs][row][kOutputs] += the products of a group, whose next is fetched meanwhile. */
template <class Format>
void addLiveGroup(const IntegersByInput& problem, float* sums, uint8_t* panels, const GroupWeights& weights,
                  const GroupWeights& next, const ActivationGroup* x, int64_t column, int64_t bytes) {
  constexpr int64_t kUnits = Format::kStripUnits, kStrip = 64 * kUnits;
  const int64_t rows = problem.rows, unitSums = rows * Format::kOutputs;
  const int64_t far = kLinesAhead / (weights.count * kUnits) * kStrip,
                whole = (bytes + kStrip - 1) / kStrip * kStrip;
  const int64_t distance = std::clamp(far, kStrip, whole);
  for (int64_t at = 0; at < bytes; at += kStrip) {
    const bool same = at + distance < whole;
    const FetchAhead<Format> ahead = {same ? weights : next, at + distance - (same ? 0 : whole)};
    const int64_t left = bytes - at, units = std::min(kUnits, (left + 63) / 64);
    for (int64_t unit = 0; unit < units; ++unit) {
      Format::prefetchScales(problem, next.group, column + unit * Format::kOutputs);
    }
    fillPanels<Format>(panels, weights, at, left, units);
    int64_t quad = 0;
    for (int64_t unit = 0; unit < units; ++unit) {
      for (; quad < (unit + 1) * ahead.weights.quads / units; ++quad) ahead.quad(quad);
      addPanelToRows<Format, kPanelTileRows>(
          sums + unit * unitSums, panels + unit * kIntegerPanelBytes<Format>, weights.quads, x, rows,
          Format::loadScales(problem, weights.group, column + unit * Format::kOutputs));
    }
    sums += units * unitSums;
    column += units * Format::kOutputs;
  }
}

/** Scratch of a thread for one part of some columns: sums, and for one row whole numbers that wait and quads,
 * for more activations and panels. */
template <class Format>
struct LivePartScratch {
  int64_t units, rows, groups;  // of outputs, of activations, of inputs

  int64_t sums() const { return units * rows * Format::kOutputs; }
  int64_t floats() const {
    const auto quads = kQuads * static_cast<int64_t>(sizeof(LiveQuad)),
               activations = rows * static_cast<int64_t>(sizeof(ActivationGroup));
    const int64_t bytes = rows == 1 ? sums() * static_cast<int64_t>(sizeof(int32_t)) + groups * quads
                                    : groups * activations + Format::kStripUnits * kIntegerPanelBytes<Format>;
    return sums() + bytes / static_cast<int64_t>(sizeof(float));
  }
};

/** Units of kOutputs from `unit` on, for one part of the inputs; their sums go to partial, in the order in
 * which they come. */
template <class Format>
void addLivePart(const IntegersByInput& problem, const LiveInputs& live, float* sums,
                 const LivePartScratch<Format>& sizes, const PartialSums& partial, int64_t part, int64_t unit,
                 int64_t units) {
  const int64_t rows = problem.rows, firstByte = 64 * unit, column = unit * Format::kOutputs;
  const LiveGroups<Format> groups = {problem, live, InputGroups::ofPart(part, problem), firstByte};
  const int64_t begin = groups.groups.begin, end = groups.groups.end;
  const int64_t bytes = std::min(64 * units, Format::rowBytes(problem) - firstByte);
  std::memset(sums, 0, static_cast<size_t>(sizes.sums()) * sizeof(float));
  if (rows == 1) {
    auto* waiting = reinterpret_cast<int32_t*>(sums + sizes.sums());
    auto* quads = reinterpret_cast<LiveQuad*>(waiting + sizes.sums());
    int64_t count = 0;
    for (int64_t g = groups.next(begin); g < end; g = groups.next(g + 1)) {
      count = addQuads(quads, count, groups.activations(0, g), groups.weights(g));
    }
    addQuadsToRow<Format>(problem, sums, waiting, quads, count, column, bytes);
    std::memcpy(partial.at(part, 0) + column, sums,
                static_cast<size_t>(units * Format::kOutputs) * sizeof(float));
    return;
  }
  auto* x = reinterpret_cast<ActivationGroup*>(sums + sizes.sums());
  auto* panels = reinterpret_cast<uint8_t*>(x + sizes.groups * rows);
  for (int64_t g = groups.next(begin); g < end; g = groups.next(g + 1)) {
    for (int64_t row = 0; row < rows; ++row) x[(g - begin) * rows + row] = groups.activations(row, g);
  }
  int64_t g = groups.next(begin);
  if (g < end) {
    for (GroupWeights weights = groups.weights(g); g < end;) {
      const int64_t after = groups.next(g + 1);
      const GroupWeights next = after < end ? groups.weights(after) : weights;
      addLiveGroup<Format>(problem, sums, panels, weights, next, x + (g - begin) * rows, column, bytes);
      g = after;
      weights = next;
    }
  }
  for (int64_t i = 0; i < units; ++i) {
    for (int64_t row = 0; row < rows; ++row, sums += Format::kOutputs) {
      std::memcpy(partial.at(part, row) + column + i * Format::kOutputs, sums,
                  Format::kOutputs * sizeof(float));
    }
  }
}

/** The result from the sums of all parts, which lie in whole units. */
template <class Format>
void addIntegerParts(ThreadPool& pool, const IntegersByInput& problem, const PartialSums& partial,
                     bool alone) {
  constexpr int64_t kUnits = 512 / Format::kOutputs;
  const ByInputResult result = resultOf<Format>(problem);
  const int64_t units = partial.outFeatures / Format::kOutputs;
  eachPiece(pool, (units + kUnits - 1) / kUnits, alone, [&](float*, int64_t piece) {
    const int64_t end = std::min((piece + 1) * kUnits, units);
    for (int64_t row = 0; row < result.rows; ++row) {
      for (int64_t unit = piece * kUnits; unit < end; ++unit) {
        float totals[Format::kOutputs];
        for (int64_t c = 0; c < Format::kOutputs; c += kLanes) {
          store(totals + c, partial.total(row, unit * Format::kOutputs + c));
        }
        finishUnit<Format>(result, row, unit * Format::kOutputs, totals);
      }
    }
  });
}

template <class Format>
void fewIntegerRows(ThreadPool& pool, const IntegersByInput& problem) {
  const int64_t groups = problem.groups(), outFeatures = problem.outFeatures, rows = problem.rows;
  const int64_t scaleBytes = Format::scaleBytes(problem), rowBytes = Format::rowBytes(problem);
  const int64_t bytes = problem.inFeatures * rowBytes + groups * scaleBytes;
  const bool alone = bytes <= kOneThreadBytes;
  const int64_t parts = partsOf(problem.inFeatures);
  const int64_t units = (outFeatures + Format::kOutputs - 1) / Format::kOutputs;
  const PartPieces pieces =
      PartPieces::of(parts, units, kPieceOutputs / Format::kOutputs, pool.size(), alone);
  const LivePartScratch<Format> sizes = {pieces.mostUnits, rows,
                                         partInputs(problem.inFeatures) / kGroupInputs};
  const int64_t partials = PartialSums::floats(parts, rows, units * Format::kOutputs);
  const LiveInputs live = reserveLive(pool, problem.inFeatures, groups, sizes.floats(), partials);
  findLive(live, problem.x, rows, problem.inFeatures, kGroupInputs);
  int64_t read = 0;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t count = live.starts[g + 1] - live.starts[g];
    read += count == 0 ? 0 : count * rowBytes + scaleBytes;
  }
  pool.weightTraffic().read += read;
  pool.weightTraffic().skipped += bytes - read;
  const PartialSums partial = {static_cast<float*>(pool.sharedScratch()), parts, rows,
                               units * Format::kOutputs};
  eachPiece(pool, pieces.count(), alone, [&](float* scratch, int64_t piece) {
    pieces.at(piece, [&](int64_t part, int64_t unit, int64_t count) {
      addLivePart<Format>(problem, live, scratch, sizes, partial, part, unit, count);
    });
  });
  addIntegerParts<Format>(pool, problem, partial, alone);
}

/** All inputs of a group, in the order of ActivationGroup::words. Those past the end have the weights of the
 * first, and activations of zero. */
template <class Format>
PERSIMMON_INLINE GroupWeights allWeights(const IntegersByInput& problem, int64_t group) {
  const int64_t bytes = Format::rowBytes(problem), first = group * kGroupInputs;
  GroupWeights all;
  all.group = group;
  all.count = kGroupInputs;
  all.quads = kQuads;
  for (int64_t i = 0; i < kGroupInputs; ++i) {
    const int64_t input = first + i < problem.inFeatures ? i : 0;
    all.inputs[wordPlace(i)] = problem.weight + (first + input) * bytes;
  }
  return all;
}

/** Rows [begin, begin + rows) of kOutputs outputs from `column` on. `scratch`: sums of a part and of all
 * parts, and a panel. */
template <class Format>
void integerBlock(const IntegersByInput& problem, const ActivationGroup* activations, float* scratch,
                  int64_t begin, int64_t rows, int64_t column) {
  constexpr int64_t kSums = kIntegerBlockRows * Format::kOutputs;
  float *sums = scratch, *totals = scratch + kSums;
  auto* panel = reinterpret_cast<uint8_t*>(totals + kSums);
  const int64_t at = column / Format::kOutputs * 64, left = Format::rowBytes(problem) - at;
  for (int64_t part = 0; part < partsOf(problem.inFeatures); ++part) {
    std::memset(sums, 0, static_cast<size_t>(rows * Format::kOutputs) * sizeof(float));
    const InputGroups groups = InputGroups::ofPart(part, problem);
    for (int64_t g = groups.begin; g < groups.end; ++g) {
      const GroupWeights next = allWeights<Format>(problem, std::min(g + 1, problem.groups() - 1));
      // To the second-level cache: rows a power of two apart push each other out of the first.
      for (const uint8_t* input : next.inputs) __builtin_prefetch(input + at, 0, 2);
      const auto scales = Format::loadScales(problem, g, column);
      fillPanels<Format>(panel, allWeights<Format>(problem, g), at, left, 1);
      addPanelToRows<Format, kPanelTileRows>(sums, panel, kQuads, activations + g * problem.rows + begin,
                                             rows, scales);
    }
    addPart(totals, sums, rows * Format::kOutputs, part == 0);
  }
  for (int64_t row = 0; row < rows; ++row) {
    finishUnit<Format>(resultOf<Format>(problem), begin + row, column, totals + row * Format::kOutputs);
  }
}

template <class Format>
void manyIntegerRows(ThreadPool& pool, const IntegersByInput& problem) {
  const int64_t blocks = (problem.rows + kIntegerBlockRows - 1) / kIntegerBlockRows;
  const int64_t units = (problem.outFeatures + Format::kOutputs - 1) / Format::kOutputs;
  pool.weightTraffic().read += blocks * (problem.inFeatures * Format::rowBytes(problem) +
                                         problem.groups() * Format::scaleBytes(problem));
  constexpr size_t kScratch =
      2 * kIntegerBlockRows * Format::kOutputs * sizeof(float) + kIntegerPanelBytes<Format>;
  const ActivationGroup* activations = roundRows(pool, problem.x, problem.rows, problem.inFeatures, kScratch);
  eachPiece(pool, blocks * units, false, [&](float* scratch, int64_t piece) {
    const int64_t begin = piece / units * kIntegerBlockRows;
    integerBlock<Format>(problem, activations, scratch, begin,
                         std::min(kIntegerBlockRows, problem.rows - begin), piece % units * Format::kOutputs);
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
