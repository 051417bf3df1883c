// linear for bfloat16 weights on the tile registers of Intel AMX.
//
// Every sum is taken 32 inputs at a time, in the order of tiles.h, for one row as for a thousand, so one
// token decodes to the bits that it had in prefill. They differ in rounding from those of the vectors.
#include "cpu/amx/blocks.h"
#include "cpu/amx/stream.h"
#include "cpu/ops/linear_pieces.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

/** Weights as they are stored, [outFeatures, inFeatures]. */
struct ByOutput {
  static const uint8_t* at(const TileLinear& problem, const Block& block) {
    return problem.weight + (block.output * problem.inFeatures + block.input) * 2;
  }

  void copy(uint8_t* target, const TileLinear& problem, const Block& block) const {
    const uint8_t* from = at(problem, block);
    const int64_t steps = block.steps(), rowBytes = problem.inFeatures * 2;
    for (int64_t o = 0; o < block.outputs; ++o) {
      uint8_t* tile = target + o / kTile * steps * kTileBytes + o % kTile * 64;
      for (int64_t step = 0; step < steps; ++step) {
        _mm512_store_si512(tile + step * kTileBytes, _mm512_loadu_si512(from + o * rowBytes + step * 64));
      }
    }
  }

  Ahead ahead(const TileLinear& problem, const Block& block) const {
    return {at(problem, block), problem.inFeatures * 2, block.outputs, block.steps()};
  }
};

void streamRows(ThreadPool& pool, const TileLinear& problem) {
  const int64_t tileBytes = kTile * problem.inFeatures * 2, tiles = problem.outFeatures / kTile;
  const int64_t share = tiles / (2 * pool.size()), piece = kPieceBytes / tileBytes;
  ChunkQueue queue(tiles, piece < 1 || share < 1 ? 1 : share < piece ? share : piece);
  pool.parallel([&](int, int) {
    const Panels panels = problem.panels(0);
    configureTiles(panels.rows[0], panels.rows[1]);
    int64_t begin, end;
    while (queue.take(&begin, &end)) streamTiles(problem, begin, end);
    _tile_release();
  });
}

}  // namespace

void linear(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
            int64_t inFeatures, int64_t outFeatures) {
  if (!fitsTiles(weight, inFeatures, outFeatures)) {
    avx512_bf16::kOps.linear(pool, out, x, weight, bias, rows, inFeatures, outFeatures);
    return;
  }
  const auto run = [&](const TileLinear& problem) {
    if (problem.rows <= kStreamedRows) {
      streamRows(pool, problem);
    } else {
      runBlocks(pool, problem, ByOutput());
    }
  };
  eachBlockOfRows(pool, out, x, weight, bias, rows, inFeatures, outFeatures, run);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
