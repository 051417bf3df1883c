// From one token of a text to the next without JavaScript: for the CPU and, as constexpr functions, for the
// kernels of a GPU.
#pragma once

#include <bit>
#include <cstdint>

#include "cpu/ops.h"

namespace persimmon::cpu {

/** A generator of random numbers: sfc32 by Chris Doty-Humphrey (PractRand), as src/generation/random.ts has
 * it. */
struct SmallRandom {
  uint32_t words[4];

  constexpr uint32_t nextWord() {
    uint32_t (&s)[4] = words;
    const uint32_t sum = s[0] + s[1] + s[3]++;
    s[0] = s[1] ^ s[1] >> 9;
    s[1] = s[2] + (s[2] << 3);
    s[2] = (s[2] << 21 | s[2] >> 11) + sum;
    return sum;
  }

  /** A number in [0, 1) with 53 random bits. */
  constexpr double next() {
    const uint32_t high = nextWord() >> 5, low = nextWord() >> 6;
    return (static_cast<double>(high) * 67108864.0 + static_cast<double>(low)) / 9007199254740992.0;
  }
};

constexpr SmallRandom randomOfRow(const int32_t* random, int64_t row) {
  SmallRandom result{};
  for (int word = 0; word < 4; ++word) result.words[word] = static_cast<uint32_t>(random[4 * row + word]);
  return result;
}

/** The number that a row draws next; its generator stays as it is. */
constexpr double nextUniform(const int32_t* random, int64_t row) { return randomOfRow(random, row).next(); }

constexpr void advanceRow(const Advance& all, int64_t row) {
  all.ids[row] = all.chosen[row];
  ++all.positions[row];
  all.results[row] = all.chosen[row];
  if (all.logprobs != nullptr) all.results[all.rows + row] = std::bit_cast<int32_t>(all.logprobs[row]);
  if (all.random == nullptr) return;
  SmallRandom random = randomOfRow(all.random, row);
  random.next();
  for (int word = 0; word < 4; ++word) all.random[4 * row + word] = static_cast<int32_t>(random.words[word]);
}

}  // namespace persimmon::cpu
