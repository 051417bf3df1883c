// Products of more than 32 rows. A thread takes a chunk of outputs and goes along the inputs in blocks of
// kBlock; for each it copies the weights of kGroup outputs as tiles, one after the other, and runs them past
// all panels. The unfinished sums wait in the thread's scratch between blocks of inputs, so the order of
// addition is that of stream.h.
//
// Two Sapphire Rapids cores, 512 rows of 4096 x 16384: 75 to 84 ms, 820 to 920 GFLOP/s (of 6.4 TFLOP/s that
// the tiles reach in cache, a third counts, because each activation is three); with vectors 274 ms. Blocks of
// 128, 256, 512 and 1024 inputs, groups of 64 and 128 outputs, chunks of 512 and 1024, 128 to 512 rows at
// once: 74 to 97 ms. The tiles wait for the second-level cache: without fetching ahead they take 29 instead
// of 33 of 37 ms, and copying 6 instead of 2.
#pragma once

#include "cpu/amx/split_rows.h"
#include "cpu/amx/tile_pair.h"

namespace persimmon::cpu::PERSIMMON_ISA {

constexpr int64_t kBlock = 512;
constexpr int64_t kGroupTiles = 4;
constexpr int64_t kGroup = kGroupTiles * kTile;
constexpr int64_t kChunkGroups = 8;

/** The weights of up to kGroup outputs and kBlock inputs; nothing where there are none. */
struct Block {
  int64_t output, outputs, input, inputs;
  int64_t steps() const { return inputs / kStep; }
};

inline Block blockAt(const TileLinear& problem, int64_t output, int64_t input) {
  const int64_t outputs = problem.outFeatures - output, inputs = problem.inFeatures - input;
  if (outputs <= 0 || inputs <= 0) return {output, 0, input, 0};
  return {output, outputs < kGroup ? outputs : kGroup, input, inputs < kBlock ? inputs : kBlock};
}

/** All tiles of a copied block with the `Count` panels from `panel` on. waiting: the block's sums,
 * [panel][tile][256]. */
template <int Count>
void panelsOfBlock(const TileLinear& problem, const uint8_t* copied, const Block& block, int64_t panel,
                   float* waiting, Ahead& ahead, int64_t fetched) {
  const int64_t steps = block.steps(), tiles = block.outputs / kTile;
  Panels panels = problem.panels(panel);
  for (int p = 0; p < Count; ++p) panels.parts[p] += panelParts(panels.rows[p], block.input);
  const auto sums = [&](int64_t tile, int p) { return waiting + ((panel + p) * kGroupTiles + tile) * kSums; };
  configureTiles(panels.rows[0], panels.rows[1]);
  for (int64_t tile = 0; tile < tiles; tile += 2) {
    const int64_t second = tile + 1 < tiles ? tile + 1 : tile;
    const TilePair pair = {
        {copied + tile * steps * kTileBytes, copied + second * steps * kTileBytes},
        64,
        kTileBytes,
        {{sums(tile, 0), sums(tile, Count - 1)}, {sums(second, 0), sums(second, Count - 1)}}};
    if (second > tile) {
      addSteps<2, Count>(pair, panels, steps, block.input == 0, ahead, fetched);
    } else {
      addSteps<1, Count>(pair, panels, steps, block.input == 0, ahead, fetched);
    }
  }
  if (block.input + block.inputs < problem.inFeatures) return;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    for (int p = 0; p < Count; ++p)
      finishTile(problem, sums(tile, p), panel + p, block.output + tile * kTile);
  }
}

/** Floats of scratch of a thread: the weights of a block, and the waiting sums of a chunk. */
inline int64_t blocksScratch(int64_t panels) {
  return kGroup * kBlock / 2 + kChunkGroups * panels * kGroupTiles * kSums;
}

/**
 * All rows and the groups [begin, end) of outputs. order.copy(target, problem, block) brings a block of
 * weights into tiles, and order.ahead(problem, block) says where it lies.
 */
template <class Order>
void runGroups(const TileLinear& problem, const Order& order, float* scratch, int64_t begin, int64_t end) {
  auto* copied = reinterpret_cast<uint8_t*>(scratch);
  float* waiting = scratch + kGroup * kBlock / 2;
  const int64_t panels = problem.panelCount();
  for (int64_t input = 0; input < problem.inFeatures; input += kBlock) {
    for (int64_t group = begin; group < end; ++group) {
      const Block block = blockAt(problem, group * kGroup, input);
      order.copy(copied, problem, block);
      asm volatile("" : : : "memory");  // the intrinsics of tiles do not say that they read it
      // The next block comes from memory while this one is in work.
      Ahead ahead = order.ahead(problem, group + 1 < end ? blockAt(problem, (group + 1) * kGroup, input)
                                                         : blockAt(problem, begin * kGroup, input + kBlock));
      const int64_t times = (panels + 1) / 2 * ((block.outputs / kTile + 1) / 2) * block.steps();
      const int64_t fetched = (ahead.rows * ahead.lines + times - 1) / times;
      float* sums = waiting + (group - begin) * panels * kGroupTiles * kSums;
      for (int64_t panel = 0; panel < panels; panel += 2) {
        if (panel + 1 < panels) {
          panelsOfBlock<2>(problem, copied, block, panel, sums, ahead, fetched);
        } else {
          panelsOfBlock<1>(problem, copied, block, panel, sums, ahead, fetched);
        }
      }
    }
  }
}

template <class Order>
void runBlocks(ThreadPool& pool, const TileLinear& problem, const Order& order) {
  pool.reserveScratch(0, static_cast<size_t>(blocksScratch(problem.panelCount())) * sizeof(float));
  // Four chunks or more for each thread, so that they finish together.
  const int64_t groups = (problem.outFeatures + kGroup - 1) / kGroup, share = groups / (4 * pool.size());
  ChunkQueue queue(groups, share < 1 ? 1 : share < kChunkGroups ? share : kChunkGroups);
  pool.parallel([&](int part, int) {
    int64_t begin, end;
    while (queue.take(&begin, &end)) {
      runGroups(problem, order, static_cast<float*>(pool.threadScratch(part)), begin, end);
    }
    _tile_release();
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
