// A test harness of a page: TEST(name) { ... CHECK(...) }, and helpers that every test of the operations
// needs.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "cpu/ops.h"

namespace check {

using persimmon::ThreadPool;
using persimmon::cpu::DType;
using persimmon::cpu::Weight;

struct Test {
  const char* name;
  void (*run)();
};
std::vector<Test>& tests();
int failureCount();
struct Register {
  Register(const char* name, void (*run)()) { tests().push_back({name, run}); }
};

/** Prints where and what, and counts the failure; the test goes on. */
void fail(const char* file, int line, const std::string& message);

#define TEST(name)                                           \
  static void name();                                        \
  static const check::Register register_##name{#name, name}; \
  static void name()

#define CHECK(condition) \
  if (!(condition)) check::fail(__FILE__, __LINE__, #condition)

#define CHECK_MESSAGE(condition, message) \
  if (!(condition)) check::fail(__FILE__, __LINE__, std::string(#condition ": ") + (message))

/** Runs f under each instruction set that this CPU has, and restores the choice. */
void forEachInstructionSet(const std::function<void()>& f);

/** Runs f under each instruction set with pools of 1, 2 and 3 threads. */
void forEachPool(const std::function<void(ThreadPool&)>& f);

/** A small, fast generator (xorshift): the same numbers on every platform. */
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 1) {}
  uint64_t bits();
  double uniform();          // [0, 1)
  int64_t below(int64_t n);  // 0..n-1
  float normal();            // a sum of uniforms, variance 1
  std::vector<float> normals(size_t n, float scale = 1);

 private:
  uint64_t state_;
};

float bfloat16ToFloat(uint16_t bits);
uint16_t floatToBFloat16(float value);  // rounds to nearest even

/** A weight in memory at an odd address, with the float32 values that it stands for. */
class StoredWeight {
 public:
  StoredWeight(Random& random, size_t count, DType dtype, float scale = 1, float shift = 0);
  Weight weight() const { return {bytes_.data() + 1, dtype_}; }
  const std::vector<float>& values() const { return values_; }

 private:
  std::vector<unsigned char> bytes_;
  std::vector<float> values_;
  DType dtype_;
};

constexpr Weight kNone = {nullptr, DType::kFloat32};

/** Largest |a - b| / (1 + |b|); infinite if one is NaN and the other not. */
double distance(const std::vector<float>& a, const std::vector<double>& b);
bool sameBits(const std::vector<float>& a, const std::vector<float>& b);
/** The smaller number of shapes where sanitizers make everything ten times slower. */
bool sanitized();

}  // namespace check
