// How products with few rows are shared among threads.
#pragma once

#include <cstdint>

namespace persimmon::cpu::PERSIMMON_ISA {

// Below 1 MiB of weights, as in the bundled model, one thread is faster: a token of a model with hidden 256
// and 6 layers took 0.95 ms with two threads in every product and takes 0.75 ms so (2 cores, one of them also
// running JavaScript).
constexpr int64_t kOneThreadBytes = 1 << 20;
// 12 microseconds at 22 GB/s, so that the threads finish together.
constexpr int64_t kPieceBytes = 1 << 18;

}  // namespace persimmon::cpu::PERSIMMON_ISA
