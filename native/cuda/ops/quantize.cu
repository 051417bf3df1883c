// Weights as int8 and int4, and their orders in memory (cpu/scaled_weights.h), with the bits of
// cpu/quantize.cc, cpu/quantize_groups.cc and cpu/weight_orders.cc. For weights that are changed on the GPU:
// those of a checkpoint are rounded before they come here.
#include "cuda/device.cuh"
#include "cuda/ops.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kTile = cpu::kWeightTile;
constexpr int64_t kGroup = cpu::kGroupInputs;

/** For i from 0 to count - 1, over all threads of the launch. */
template <class F>
__device__ __forceinline__ void forEach(int64_t count, const F& f) {
  const int64_t stride = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) f(i);
}

__device__ int64_t roundedUp(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

// One block a row. The division is the CPU's, to the last bit.
__global__ void quantizeRowsKernel(int8_t* out, float* scales, Weight x, int64_t rows, int64_t columns) {
  __shared__ float partial[kWarp];
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    float largest = 0.0f;
    for (int64_t i = threadIdx.x; i < columns; i += kThreads)
      largest = fmaxf(largest, fabsf(element(x, row * columns + i)));
    largest = blockMax(largest, partial);
    const float scale = largest / 127.0f < 1e-37f ? 0.0f : largest / 127.0f;
    if (threadIdx.x == 0) scales[row] = scale;
    for (int64_t i = threadIdx.x; i < columns; i += kThreads) {
      const int64_t at = row * columns + i;
      out[at] = scale == 0.0f ? int8_t{0} : static_cast<int8_t>(rintf(element(x, at) / scale));
    }
  }
}

__global__ void dequantizeRowsKernel(float* out, const int8_t* x, const float* scales, int64_t rows,
                                     int64_t columns) {
  forEach(rows * columns, [=](int64_t i) { out[i] = static_cast<float>(x[i]) * scales[i / columns]; });
}

// One thread a group.
__global__ void quantizeGroupsKernel(uint8_t* out, uint16_t* scales, Weight x, int64_t groups) {
  forEach(groups, [=](int64_t g) {
    float largest = 0.0f;
    for (int64_t i = 0; i < kGroup; ++i) {
      const float number = element(x, g * kGroup + i);
      if (fabsf(number) > fabsf(largest)) largest = number;
    }
    const uint16_t half = fabsf(largest) < 1e-36f ? uint16_t{0} : toBFloat16(largest / -8.0f);
    const float scale = fromBFloat16(half);
    scales[g] = half;
    for (int64_t i = 0; i < kGroup; i += 2) {
      int pair[2];
      for (int64_t j = 0; j < 2; ++j) {
        const float quotient = scale == 0.0f ? 0.0f : rintf(element(x, g * kGroup + i + j) / scale);
        pair[j] = static_cast<int>(fminf(fmaxf(quotient, -8.0f), 7.0f)) + cpu::kInt4Zero;
      }
      out[(g * kGroup + i) / 2] = static_cast<uint8_t>(pair[0] | pair[1] << 4);
    }
  });
}

__global__ void dequantizeGroupsKernel(float* out, const uint8_t* x, const uint16_t* scales, int64_t count) {
  forEach(count, [=](int64_t i) {
    const int number = x[i / 2] >> (i % 2 != 0 ? 4 : 0) & 15;
    // + 0: a negative scale makes no -0.
    out[i] = static_cast<float>(number - cpu::kInt4Zero) * fromBFloat16(scales[i / kGroup]) + 0.0f;
  });
}

/** Elements of `Unit` of 16 outputs side by side; there are `length` of each output. */
template <class Unit, bool kToTiles>
__global__ void exchangeTilesKernel(Unit* tiles, Unit* rows, int64_t count, int64_t length, Unit empty) {
  forEach(roundedUp(count, kTile) * length, [=](int64_t i) {
    const int64_t n = i % kTile, at = i / kTile % length, row = i / kTile / length * kTile + n;
    if constexpr (kToTiles) {
      tiles[i] = row < count ? rows[row * length + at] : empty;
    } else if (row < count) {
      rows[row * length + at] = tiles[i];
    }
  });
}

/** int8 and its tiles; a place in the tiles for each i. */
template <bool kToTiles>
__global__ void exchangeInt8Kernel(uint8_t* tiles, int8_t* plain, int64_t rows, int64_t columns) {
  const int64_t padded = roundedUp(columns, kGroup);
  forEach(roundedUp(rows, kTile) * padded, [=](int64_t i) {
    // [16 outputs][word of 8 inputs][half][output][4 bytes]
    const int64_t byte = i % 4, n = i / 4 % kTile, half = i / (4 * kTile) % 2,
                  word = i / (8 * kTile) % (padded / 8);
    const int64_t row = i / (kTile * padded) * kTile + n, column = word * 8 + 2 * byte + half;
    const bool inside = row < rows && column < columns;
    if constexpr (kToTiles) {
      tiles[i] = static_cast<uint8_t>((inside ? plain[row * columns + column] : 0) + cpu::kInt8Zero);
    } else if (inside) {
      plain[row * columns + column] = static_cast<int8_t>(tiles[i] - cpu::kInt8Zero);
    }
  });
}

/** int4 by input; one thread a byte of that order, or of the order of rows. */
template <bool kToInputs>
__global__ void exchangeInputsKernel(Int4Matrix inputs, Int4Matrix byRow, int64_t rows, int64_t columns) {
  const int64_t groups = columns / kGroup, outputs = roundedUp(rows, cpu::kInt4Unit),
                half = cpu::kInt4Unit / 2;
  // Where the number of an output and an input lies by input, and its shift there.
  const auto place = [=](int64_t row, int64_t column) {
    return (column * outputs / 2) + row / cpu::kInt4Unit * half + row % half;
  };
  const auto shift = [=](int64_t row) { return row % cpu::kInt4Unit >= half ? 4 : 0; };
  if constexpr (kToInputs) {
    forEach(columns * outputs / 2, [=](int64_t i) {
      const int64_t column = i / (outputs / 2), within = i % (outputs / 2);
      const int64_t low = within / half * cpu::kInt4Unit + within % half, high = low + half;
      const auto number = [=](int64_t row) {
        if (row >= rows) return cpu::kInt4Zero;
        return byRow.elements[(row * columns + column) / 2] >> (column % 2 != 0 ? 4 : 0) & 15;
      };
      inputs.elements[i] = static_cast<uint8_t>(number(low) | number(high) << 4);
    });
    forEach(groups * outputs, [=](int64_t i) {
      const int64_t row = i % outputs;
      inputs.scales[i] = row < rows ? byRow.scales[row * groups + i / outputs] : uint16_t{0};
    });
  } else {
    forEach(rows * columns / 2, [=](int64_t i) {
      const int64_t row = 2 * i / columns, column = 2 * i % columns;
      const int low = inputs.elements[place(row, column)] >> shift(row) & 15;
      const int high = inputs.elements[place(row, column + 1)] >> shift(row) & 15;
      byRow.elements[i] = static_cast<uint8_t>(low | high << 4);
    });
    forEach(rows * groups,
            [=](int64_t i) { byRow.scales[i] = inputs.scales[i % groups * outputs + i / groups]; });
  }
}

template <class Unit, bool kToTiles>
void exchangeTiles(Queue& queue, Unit* tiles, Unit* rows, int64_t count, int64_t length, Unit empty) {
  launch(queue, exchangeTilesKernel<Unit, kToTiles>, blocksFor(cpu::kWeightTile * length, kThreads), kThreads,
         {}, tiles, rows, count, length, empty);
}

}  // namespace

void quantizeRows(Queue& queue, int8_t* out, float* scales, Weight x, int64_t rows, int64_t columns) {
  launch(queue, quantizeRowsKernel, blocksFor(rows, 1), kThreads, {}, out, scales, x, rows, columns);
}

void dequantizeRows(Queue& queue, float* out, const int8_t* x, const float* scales, int64_t rows,
                    int64_t columns) {
  launch(queue, dequantizeRowsKernel, blocksFor(rows * columns, kThreads), kThreads, {}, out, x, scales, rows,
         columns);
}

void quantizeGroups(Queue& queue, uint8_t* out, uint16_t* scales, Weight x, int64_t rows, int64_t columns) {
  const int64_t groups = rows * columns / kGroup;
  launch(queue, quantizeGroupsKernel, blocksFor(groups, kThreads), kThreads, {}, out, scales, x, groups);
}

void dequantizeGroups(Queue& queue, float* out, const uint8_t* x, const uint16_t* scales, int64_t rows,
                      int64_t columns) {
  const int64_t count = rows * columns;
  launch(queue, dequantizeGroupsKernel, blocksFor(count, kThreads), kThreads, {}, out, x, scales, count);
}

void int8ToTiles(Queue& queue, uint8_t* tiles, const int8_t* x, int64_t rows, int64_t columns) {
  launch(queue, exchangeInt8Kernel<true>, blocksFor(rows * columns, kThreads), kThreads, {}, tiles,
         const_cast<int8_t*>(x), rows, columns);
}

void int8FromTiles(Queue& queue, int8_t* out, const uint8_t* tiles, int64_t rows, int64_t columns) {
  launch(queue, exchangeInt8Kernel<false>, blocksFor(rows * columns, kThreads), kThreads, {},
         const_cast<uint8_t*>(tiles), out, rows, columns);
}

void arrangeGroups(Queue& queue, Int4Matrix out, WeightOrder to, Int4Matrix x, WeightOrder from, int64_t rows,
                   int64_t columns) {
  const int64_t groups = columns / kGroup, words = groups * cpu::kGroupWords;
  constexpr uint32_t kZeros = 0x88888888u;  // the number 0, eight times
  const auto asWords = [](uint8_t* bytes) { return reinterpret_cast<uint32_t*>(bytes); };
  if (to == from) {
    queue.copy(out.elements, x.elements, static_cast<size_t>(cpu::int4Bytes(to, rows, columns)));
    queue.copy(out.scales, x.scales,
               static_cast<size_t>(cpu::int4Scales(to, rows, columns)) * sizeof(uint16_t));
  } else if (to == WeightOrder::kTiles) {
    exchangeTiles<uint32_t, true>(queue, asWords(out.elements), asWords(x.elements), rows, words, kZeros);
    exchangeTiles<uint16_t, true>(queue, out.scales, x.scales, rows, groups, 0);
  } else if (from == WeightOrder::kTiles) {
    exchangeTiles<uint32_t, false>(queue, asWords(x.elements), asWords(out.elements), rows, words, kZeros);
    exchangeTiles<uint16_t, false>(queue, x.scales, out.scales, rows, groups, 0);
  } else {
    const bool toInputs = to == WeightOrder::kInputs;
    const auto kernel = toInputs ? exchangeInputsKernel<true> : exchangeInputsKernel<false>;
    launch(queue, kernel, blocksFor(rows * columns / 2, kThreads), kThreads, {}, toInputs ? out : x,
           toInputs ? x : out, rows, columns);
  }
}

}  // namespace persimmon::cuda
