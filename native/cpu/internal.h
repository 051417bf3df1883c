// Operations that differ by instruction set but are not part of the public interface.
#pragma once

#include <cstddef>
#include <cstdint>

namespace persimmon::cpu {

/** Loads every byte, if `fetch` with fetches ahead; the result depends on all of them so that no load can be
 * left out. */
uint32_t readBytes(const void* data, size_t bytes, bool fetch);

/**
 * weights[i] = exp((x[i] - max) / temperature), 1 where x[i] == max (so that an infinite max is usable), 0
 * where x[i] is NaN or below `threshold`. Returns the sum, in a fixed order. For at most 4096 values.
 */
float expWeights(float* weights, const float* x, int64_t count, float max, float temperature,
                 float threshold);

}  // namespace persimmon::cpu
