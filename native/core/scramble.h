// Random numbers that depend on a counter only, so that no order of threads or rows can change them.
// constexpr, so that kernels of a GPU may call them.
#pragma once

#include <cstdint>

namespace persimmon {

// One step of splitmix64: a fixed, fast scrambling of a counter (Steele, Lea and Flood 2014).
constexpr uint64_t scramble(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// The sum of four uniform draws (Irwin-Hall), shifted and scaled to mean 0 and variance 1: close enough to a
// normal number for weights of benchmarks and for noise.
constexpr float nearNormal(uint64_t counter) {
  const uint64_t bits = scramble(counter);
  const double sum = static_cast<double>((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) +
                                         (bits >> 48)) /
                     65536.0;
  return static_cast<float>((sum - 2.0) * 1.7320508075688772);
}

}  // namespace persimmon
