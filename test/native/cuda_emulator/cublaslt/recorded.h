// What the emulated cuBLASLt was asked, and what it is to answer; for tests in the same process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

struct RecordedCublasLt {
  int open = 0;  // handles, descriptors, layouts and preferences that were not given back
  int heuristics = 0, products = 0;
  uint64_t workspaceLimit = 0;
  std::vector<uint32_t> alignments;
  std::vector<const void*> workspaces;
  /** What is wrong with what it was given; empty while nothing is. */
  const char* wrong = "";

  int startStatus = 0, heuristicStatus = 0, found = 1, multiplyStatus = 0;
  size_t workspaceNeeded = 1024;
};

/** The library's `recordedCublasLt`. Only while nobody else uses the library. */
using RecordedCublasLtFunction = RecordedCublasLt& (*)();
