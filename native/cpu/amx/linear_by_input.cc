// linearByInput for bfloat16 weights on the tile registers of Intel AMX: up to eight rows leave out zeros
// with vectors where there are enough of them, up to 32 stream through tiles, more go block by block as in
// linear.cc. All have the same bits.
#include "cpu/amx/blocks.h"
#include "cpu/amx/live_blocks.h"
#include "cpu/amx/stream_by_input.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

// The most rows that may leave out zeros.
constexpr int64_t kFewRows = 8;

/**
 * Whether that is faster than tiles, which read everything. Two Sapphire Rapids cores, 16384 x 4096, all
 * inputs live: 1 row 6.0 ms, 2 rows 7.2, 4 10.7, 8 18.6, and as much less as less is live; with tiles 9 rows
 * take 5.6 ms.
 */
bool paysToLeaveOut(int64_t live, int64_t inFeatures, int64_t rows) {
  return live * (5 + 2 * rows) <= 6 * inFeatures;
}

/** Weights by input, [inFeatures, outFeatures], turned into tiles of outputs. */
struct ByInput {
  static const uint8_t* at(const TileLinear& problem, const Block& block) {
    return problem.weight + (block.input * problem.outFeatures + block.output) * 2;
  }

  /** 32 inputs of 16 outputs to [output][input]. */
  static void turn(uint8_t* tile, const uint8_t* from, int64_t rowBytes) {
    // Pairs of inputs side by side, by output; then 16 x 16 pairs turned over.
    __m512i pairs[kTile], turned[kTile];
    for (int64_t i = 0; i < kTile; ++i) {
      const auto row = [&](int64_t k) {
        return _mm512_cvtepu16_epi32(
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + k * rowBytes)));
      };
      pairs[i] = _mm512_or_si512(row(2 * i), _mm512_slli_epi32(row(2 * i + 1), 16));
    }
    for (int i = 0; i < 16; i += 2) {
      turned[i] = _mm512_unpacklo_epi32(pairs[i], pairs[i + 1]);
      turned[i + 1] = _mm512_unpackhi_epi32(pairs[i], pairs[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
      pairs[i] = _mm512_unpacklo_epi64(turned[i], turned[i + 2]);
      pairs[i + 1] = _mm512_unpackhi_epi64(turned[i], turned[i + 2]);
      pairs[i + 2] = _mm512_unpacklo_epi64(turned[i + 1], turned[i + 3]);
      pairs[i + 3] = _mm512_unpackhi_epi64(turned[i + 1], turned[i + 3]);
    }
    // pairs[4 i + j]: in quarter q, input pairs 4 i to 4 i + 3 of output 4 q + j.
    for (int j = 0; j < 4; ++j) {
      const __m512i a = _mm512_shuffle_i32x4(pairs[j], pairs[4 + j], 0x88);
      const __m512i b = _mm512_shuffle_i32x4(pairs[j], pairs[4 + j], 0xDD);
      const __m512i c = _mm512_shuffle_i32x4(pairs[8 + j], pairs[12 + j], 0x88);
      const __m512i d = _mm512_shuffle_i32x4(pairs[8 + j], pairs[12 + j], 0xDD);
      _mm512_store_si512(tile + j * 64, _mm512_shuffle_i32x4(a, c, 0x88));
      _mm512_store_si512(tile + (4 + j) * 64, _mm512_shuffle_i32x4(b, d, 0x88));
      _mm512_store_si512(tile + (8 + j) * 64, _mm512_shuffle_i32x4(a, c, 0xDD));
      _mm512_store_si512(tile + (12 + j) * 64, _mm512_shuffle_i32x4(b, d, 0xDD));
    }
  }

  void copy(uint8_t* target, const TileLinear& problem, const Block& block) const {
    const int64_t rowBytes = problem.outFeatures * 2, tiles = block.outputs / kTile, steps = block.steps();
    for (int64_t step = 0; step < steps; ++step) {
      for (int64_t tile = 0; tile < tiles; ++tile) {
        turn(target + (tile * steps + step) * kTileBytes,
             at(problem, block) + step * kStep * rowBytes + tile * kTile * 2, rowBytes);
      }
    }
  }

  Ahead ahead(const TileLinear& problem, const Block& block) const {
    return {at(problem, block), problem.outFeatures * 2, block.outputs > 0 ? block.inputs : 0,
            (block.outputs * 2 + 63) / 64};
  }
};

/** x as its parts, in what `at` has room for. */
FloatParts splitToFloats(float* at, const float* x, int64_t rows, int64_t inFeatures) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t k = 0; k < inFeatures; k += kLanes) {
      const SplitVector parts = split(_mm512_loadu_ps(x + row * inFeatures + k));
      for (int part = 0; part < kParts; ++part) {
        _mm512_storeu_si512(at + (row * kParts + part) * inFeatures + k, parts.parts[part]);
      }
    }
  }
  return {at, inFeatures};
}

struct FewRows {
  float* out;
  const BFloat16* weight;
  Weight bias;
  int64_t rows, inFeatures, outFeatures;
  LiveInputs live;
  FloatParts x;
};

/** sums [rows][columns] of all live inputs. weight: where the columns of input 0 begin. */
void addSteps(const FewRows& problem, float* sums, const BFloat16* weight, int64_t columns) {
  const FlushSubnormals flush;
  const int64_t steps = problem.inFeatures / kStep;
  for (int64_t i = 0; i < problem.rows * columns; i += kLanes) store(sums + i, zero());
  const LiveStep nothing{};
  LiveStep step = liveStep(problem.live, 0, steps, weight, problem.outFeatures);
  for (int64_t s = 0; s < steps; ++s) {
    const LiveStep next = liveStep(problem.live, s + 1, steps, weight, problem.outFeatures);
    for (int64_t row = 0; step.any() && row < problem.rows; ++row) {
      addStep(sums + row * columns, step, problem.x, row, columns, row == 0 ? next : nothing);
    }
    step = next;
  }
}

/** Outputs [column, column + columns) of all rows; `sums` has room for `columns` of each. */
void liveOutputs(const FewRows& problem, float* sums, int64_t column, int64_t columns) {
  const BFloat16* weight = problem.weight + column;
  addSteps(problem, sums, weight, columns);
  for (int64_t row = 0; row < problem.rows; ++row) {
    for (int64_t i = 0; i < columns; i += kLanes) {
      store(problem.out + row * problem.outFeatures + column + i,
            finished(load(sums + row * columns + i), biasAt(problem.bias, column + i)));
    }
  }
}

/** False, and nothing done, where so much is live that tiles are faster. */
bool fewRows(ThreadPool& pool, const float* x, FewRows problem) {
  const int64_t steps = problem.inFeatures / kStep, bytes = problem.inFeatures * problem.outFeatures * 2;
  const int64_t room = pieceOutputs(problem.outFeatures, problem.rows, 2 * pool.size());
  const int64_t parts = problem.rows * kParts * problem.inFeatures;
  problem.live = reserveLive(pool, problem.inFeatures, steps, problem.rows * room, parts);
  findLive(problem.live, x, problem.rows, problem.inFeatures, kStep);
  const int64_t live = problem.live.starts[steps];
  if (!paysToLeaveOut(live, problem.inFeatures, problem.rows)) return false;
  problem.x = splitToFloats(static_cast<float*>(pool.sharedScratch()), x, problem.rows, problem.inFeatures);
  const int64_t read = live * problem.outFeatures * 2;
  pool.weightTraffic().read += read;
  pool.weightTraffic().skipped += bytes - read;
  eachPiece(pool, (problem.outFeatures + room - 1) / room, false, [&](float* sums, int64_t piece) {
    const int64_t column = piece * room, left = problem.outFeatures - column;
    liveOutputs(problem, sums, column, left < room ? left : room);
  });
  return true;
}

void streamRows(ThreadPool& pool, const float* x, TileLinear problem) {
  problem.parts = splitRows(pool, x, problem.rows, problem.inFeatures, splitRowIntoTiles);
  // Two pieces for each thread, so that they finish together.
  const int64_t share = problem.outFeatures / (2 * pool.size()) / (2 * kTile) * (2 * kTile), pair = 2 * kTile;
  const int64_t room = share < pair ? pair : share;
  pool.reserveScratch(0, static_cast<size_t>(room / pair * 4 * kSums) * sizeof(float));
  pool.weightTraffic().read += problem.inFeatures * problem.outFeatures * 2;
  eachPiece(pool, (problem.outFeatures + room - 1) / room, false, [&](float* sums, int64_t piece) {
    const int64_t column = piece * room, left = problem.outFeatures - column,
                  columns = left < room ? left : room;
    if (problem.rows <= kTile) {
      streamPiece<1>(problem, sums, column, columns);
    } else {
      streamPiece<2>(problem, sums, column, columns);
    }
    _tile_release();
  });
}

}  // namespace

void linearByInput(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  if (!fitsTiles(weight, inFeatures, outFeatures) || rows == 0) {
    avx512_bf16::kOps.linearByInput(pool, out, x, weight, bias, rows, inFeatures, outFeatures);
    return;
  }
  const auto* halves = static_cast<const BFloat16*>(weight.data);
  if (rows <= kFewRows && fewRows(pool, x, {out, halves, bias, rows, inFeatures, outFeatures, {}, {}}))
    return;
  if (rows <= kStreamedRows) {
    const auto* data = static_cast<const uint8_t*>(weight.data);
    streamRows(pool, x, {out, nullptr, data, bias, rows, inFeatures, outFeatures});
    return;
  }
  const auto run = [&](const TileLinear& problem) { runBlocks(pool, problem, ByInput()); };
  eachBlockOfRows(pool, out, x, weight, bias, rows, inFeatures, outFeatures, run);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
