#include "check.h"

namespace check {

namespace {
int failures = 0;
}

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

int failureCount() { return failures; }

void fail(const char* file, int line, const std::string& message) {
  ++failures;
  if (failures <= 50) {
    std::printf("  %s:%d [%s] %s\n", file, line, persimmon::cpu::instructionSet(), message.c_str());
  }
}

void forEachInstructionSet(const std::function<void()>& f) {
  const std::string before = persimmon::cpu::instructionSet();
  for (const char* name : {"portable", "avx2", "avx512", "avx512-bf16", "avx512-amx"}) {
    if (persimmon::cpu::setInstructionSet(name)) f();
  }
  persimmon::cpu::setInstructionSet(before.c_str());
}

void forEachPool(const std::function<void(ThreadPool&)>& f) {
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    forEachInstructionSet([&] { f(pool); });
  }
}

uint64_t Random::bits() {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  return state_ * 0x2545F4914F6CDD1Dull;
}
double Random::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
int64_t Random::below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }
float Random::normal() {
  double sum = 0;
  for (int i = 0; i < 12; ++i) sum += uniform();
  return static_cast<float>(sum - 6);
}
std::vector<float> Random::normals(size_t n, float scale) {
  std::vector<float> values(n);
  for (float& value : values) value = normal() * scale;
  return values;
}

float bfloat16ToFloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

uint16_t floatToBFloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);
  const uint32_t lower = bits & 0xFFFF, upper = bits >> 16;
  const bool up = lower > 0x8000 || (lower == 0x8000 && (upper & 1));
  return static_cast<uint16_t>(upper + (up ? 1 : 0));
}

StoredWeight::StoredWeight(Random& random, size_t count, DType dtype, float scale, float shift)
    : values_(random.normals(count, scale)), dtype_(dtype) {
  const size_t size = dtype == DType::kBFloat16 ? 2 : 4;
  bytes_.resize(count * size + 1);
  for (size_t i = 0; i < count; ++i) {
    values_[i] += shift;
    if (dtype == DType::kBFloat16) {
      const uint16_t bits = floatToBFloat16(values_[i]);
      values_[i] = bfloat16ToFloat(bits);
      std::memcpy(bytes_.data() + 1 + i * size, &bits, size);
    } else {
      std::memcpy(bytes_.data() + 1 + i * size, &values_[i], size);
    }
  }
}

double distance(const std::vector<float>& a, const std::vector<double>& b) {
  double worst = a.size() == b.size() ? 0 : HUGE_VAL;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    const double d = std::fabs(a[i] - b[i]) / (1 + std::fabs(b[i]));
    if (!(d <= worst)) worst = std::isnan(d) ? HUGE_VAL : d;
  }
  return worst;
}

bool sameBits(const std::vector<float>& a, const std::vector<float>& b) {
  // memcmp takes no null pointer, which an empty vector may have.
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

bool sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#else
  return false;
#endif
}

}  // namespace check
