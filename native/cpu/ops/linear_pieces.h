// How products with few rows, and heads of attention, are shared among threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/thread_pool.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// Below 512 KiB of weights, as in the bundled model, one thread is faster: a token of a model with hidden 256
// and 6 layers took 0.95 ms with two threads in every product and takes 0.75 ms so (2 cores, one of them also
// running JavaScript). Up to 1 MiB two threads are faster where the weights come from memory: hidden 1024 and
// 12 layers in int4 decode 5 to 10 % more tokens.
constexpr int64_t kOneThreadBytes = 1 << 19;
// 12 microseconds at 22 GB/s, so that the threads finish together.
constexpr int64_t kPieceBytes = 1 << 18;

/** Pieces of `count` outputs that are read once: up to 1 MiB, because a read that goes on is faster (on two
 * threads of a Zen 5 server 58 GB/s in pieces of 256 KiB, 63 of 512, 66 of 1024), and shorter towards the
 * end. Multiples of `unit`. */
inline TaperedQueue longPieces(int64_t count, int64_t outputBytes, int64_t unit, int threads) {
  const int64_t bytes = std::max<int64_t>(outputBytes, 1);
  return TaperedQueue(count, unit, kPieceBytes / 4 / bytes, 4 * kPieceBytes / bytes, threads);
}

/**
 * f(part, begin, end, next) for each piece, by the calling thread alone or by all. A thread takes its next
 * piece, which begins at `next`, before this one is done, so that its first weights can be fetched in time;
 * after the last piece `next` is its own beginning.
 */
template <class Queue, class F>
void eachPieceAhead(ThreadPool& pool, Queue& queue, bool alone, const F& f) {
  const auto work = [&](int part, int) {
    int64_t begin, end, nextBegin, nextEnd;
    bool any = queue.take(&begin, &end);
    while (any) {
      any = queue.take(&nextBegin, &nextEnd);
      f(part, begin, end, any ? nextBegin : begin);
      begin = nextBegin;
      end = nextEnd;
    }
  };
  if (alone) {
    work(0, 1);
  } else {
    pool.parallel(work);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
