// Copies of blocks and exchanged axes: every byte read and written once.
#include "cuda/device.cuh"
#include "cuda/ops.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

// In units of 16, 4 or 1 bytes, whichever all sizes and addresses are multiples of.
template <class Unit>
__global__ void copyBlocksKernel(uint8_t* out, int64_t outStride, const uint8_t* x, int64_t stride,
                                 int64_t units, int64_t blocks) {
  waitForPrevious();
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < units * blocks; i += step) {
    const int64_t block = i / units, unit = i % units;
    reinterpret_cast<Unit*>(out + block * outStride)[unit] =
        reinterpret_cast<const Unit*>(x + block * stride)[unit];
  }
}

constexpr int kTile = 32;
constexpr int kTileRows = 8;

// Through a tile in shared memory, so that both sides are read and written along their rows. The tile is one
// wider than it need be: its columns then lie in different banks.
template <class Element>
__global__ void transposeKernel(Element* out, const Element* x, int64_t rows, int64_t columns,
                                int64_t tilesAcross, int64_t tiles) {
  __shared__ Element tile[kTile][kTile + 1];
  waitForPrevious();
  const int across = static_cast<int>(threadIdx.x), down = static_cast<int>(threadIdx.y);
  for (int64_t number = blockIdx.x; number < tiles; number += gridDim.x) {
    const int64_t perMatrix = tilesAcross * ((rows + kTile - 1) / kTile), matrix = number / perMatrix;
    const int64_t row = number % perMatrix / tilesAcross * kTile,
                  column = number % perMatrix % tilesAcross * kTile;
    const Element* source = x + matrix * rows * columns;
    Element* target = out + matrix * rows * columns;
    for (int i = down; i < kTile; i += kTileRows) {
      if (row + i < rows && column + across < columns)
        tile[i][across] = source[(row + i) * columns + column + across];
    }
    __syncthreads();
    for (int i = down; i < kTile; i += kTileRows) {
      if (column + i < columns && row + across < rows)
        target[(column + i) * rows + row + across] = tile[across][i];
    }
    __syncthreads();
  }
}

template <class Element>
void transposed(Queue& queue, Element* out, const Element* x, int64_t batch, int64_t rows, int64_t columns) {
  const int64_t tilesAcross = ceilingOf(columns, kTile);
  const int64_t tiles = batch * tilesAcross * ceilingOf(rows, kTile);
  if (tiles == 0) return;
  launch(queue, transposeKernel<Element>, blocksFor(tiles, 1), dim3(kTile, kTileRows), {.overlapping = true},
         out, x, rows, columns, tilesAcross, tiles);
}

template <class Unit>
void copyUnits(Queue& queue, uint8_t* out, int64_t outStride, const uint8_t* x, int64_t stride, int64_t bytes,
               int64_t blocks) {
  const auto units = bytes / static_cast<int64_t>(sizeof(Unit));
  launch(queue, copyBlocksKernel<Unit>, blocksFor(units * blocks, kThreads), kThreads, {.overlapping = true},
         out, outStride, x, stride, units, blocks);
}

}  // namespace

void copyBlocks(Queue& queue, uint8_t* out, int64_t outStride, const uint8_t* x, int64_t stride,
                int64_t bytes, int64_t blocks) {
  if (bytes == 0 || blocks == 0) return;
  const uint64_t all = reinterpret_cast<uintptr_t>(out) | reinterpret_cast<uintptr_t>(x) |
                       static_cast<uint64_t>(outStride) | static_cast<uint64_t>(stride) |
                       static_cast<uint64_t>(bytes);
  const auto copy = all % sizeof(uint4) == 0      ? copyUnits<uint4>
                    : all % sizeof(uint32_t) == 0 ? copyUnits<uint32_t>
                                                  : copyUnits<uint8_t>;
  copy(queue, out, outStride, x, stride, bytes, blocks);
}

void transpose(Queue& queue, float* out, const float* x, int64_t batch, int64_t rows, int64_t columns) {
  transposed(queue, out, x, batch, rows, columns);
}

void transposeWeight(Queue& queue, void* out, Weight x, int64_t rows, int64_t columns) {
  if (x.dtype == DType::kInt8) {
    transposed(queue, static_cast<uint8_t*>(out), static_cast<const uint8_t*>(x.data), 1, rows, columns);
  } else if (x.dtype == DType::kBFloat16) {
    transposed(queue, static_cast<uint16_t*>(out), static_cast<const uint16_t*>(x.data), 1, rows, columns);
  } else {
    transposed(queue, static_cast<float*>(out), static_cast<const float*>(x.data), 1, rows, columns);
  }
}

}  // namespace persimmon::cuda
