#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

using CpuUnary = void (*)(ThreadPool&, float*, const float*, int64_t);
using CudaUnary = void (*)(cuda::Queue&, float*, const float*, int64_t);
using CpuBinary = void (*)(ThreadPool&, float*, const float*, const float*, int64_t);
using CudaBinary = void (*)(cuda::Queue&, float*, const float*, const float*, int64_t);
using CpuBroadcast = void (*)(ThreadPool&, float*, cpu::Spread, cpu::Spread, int64_t, int64_t);
using CudaBroadcast = void (*)(cuda::Queue&, float*, cpu::Spread, cpu::Spread, int64_t, int64_t);

const std::pair<CpuUnary, CudaUnary> kActivations[] = {
    {cpu::reluSquared, cuda::reluSquared},
    {cpu::relu, cuda::relu},
    {cpu::gelu, cuda::gelu},
    {cpu::geluTanh, cuda::geluTanh},
    {cpu::silu, cuda::silu},
    {cpu::sigmoid, cuda::sigmoid},
    {cpu::tanh, cuda::tanh},
};

const float kSpecial[] = {NAN, -0.0f, 1e-40f, -80.0f, 80.0f};

/** An infinite number, or one that is none, is the same on both sides; others are near. */
bool alike(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) < 1e-6f;
}

}  // namespace

TEST(activationsAreThoseOfTheCpu) {
  Random random(1);
  for (const int64_t count : {0, 1, 31, 256, 257, 5000}) {
    std::vector<float> x = random.normals(static_cast<size_t>(count), 4);
    for (size_t i = 0; i < x.size() && i < std::size(kSpecial); ++i) x[i] = kSpecial[i];
    const OnGpu<float> input(x);
    for (const auto& [onCpu, onCuda] : kActivations) {
      std::vector<float> expected(x.size());
      onCpu(cpuPool(), expected.data(), x.data(), count);
      const OnGpu<float> out(x.size());
      onCuda(gpu(), out.data(), input.data(), count);
      CHECK(distance(out.read(), expected) < 1e-6);
    }
  }
}

TEST(activationsOfInfinityAreThoseOfTheCpu) {
  const std::vector<float> x = {HUGE_VALF, -HUGE_VALF, 1e30f, -1e30f};
  const OnGpu<float> input(x);
  for (const auto& [onCpu, onCuda] : kActivations) {
    std::vector<float> expected(x.size());
    onCpu(cpuPool(), expected.data(), x.data(), static_cast<int64_t>(x.size()));
    const OnGpu<float> out(x.size());
    onCuda(gpu(), out.data(), input.data(), static_cast<int64_t>(x.size()));
    const std::vector<float> got = out.read();
    for (size_t i = 0; i < x.size(); ++i) {
      CHECK_MESSAGE(alike(got[i], expected[i]),
                    std::to_string(got[i]) + " for " + std::to_string(expected[i]));
    }
  }
}

TEST(arithmeticIsThatOfTheCpu) {
  Random random(2);
  const std::pair<CpuBinary, CudaBinary> functions[] = {
      {cpu::add, cuda::add}, {cpu::sub, cuda::sub}, {cpu::mul, cuda::mul}};
  for (const int64_t count : {0, 1, 255, 1000}) {
    const std::vector<float> a = random.normals(static_cast<size_t>(count)),
                             b = random.normals(static_cast<size_t>(count));
    const OnGpu<float> onA(a), onB(b);
    for (const auto& [onCpu, onCuda] : functions) {
      std::vector<float> expected(a.size());
      onCpu(cpuPool(), expected.data(), a.data(), b.data(), count);
      const OnGpu<float> out(a.size());
      onCuda(gpu(), out.data(), onA.data(), onB.data(), count);
      CHECK(sameBits(out.read(), expected));
    }
    const OnGpu<float> out(a.size());
    std::vector<float> expected(a.size());
    cpu::scale(cpuPool(), expected.data(), a.data(), -1.7f, count);
    cuda::scale(gpu(), out.data(), onA.data(), -1.7f, count);
    CHECK(sameBits(out.read(), expected));
  }
}

TEST(broadcastsAreThoseOfTheCpu) {
  Random random(3);
  const std::pair<CpuBroadcast, CudaBroadcast> functions[] = {{cpu::addBroadcast, cuda::addBroadcast},
                                                              {cpu::subBroadcast, cuda::subBroadcast},
                                                              {cpu::mulBroadcast, cuda::mulBroadcast}};
  const int64_t rows = 5, width = 67;
  for (const int64_t aCount : {rows * width, width, int64_t{1}}) {
    for (const int64_t bCount : {rows * width, width, int64_t{1}}) {
      const std::vector<float> a = random.normals(static_cast<size_t>(aCount)),
                               b = random.normals(static_cast<size_t>(bCount));
      const OnGpu<float> onA(a), onB(b);
      for (const auto& [onCpu, onCuda] : functions) {
        std::vector<float> expected(static_cast<size_t>(rows * width));
        onCpu(cpuPool(), expected.data(), {a.data(), aCount}, {b.data(), bCount}, rows, width);
        const OnGpu<float> out(expected.size());
        onCuda(gpu(), out.data(), {onA.data(), aCount}, {onB.data(), bCount}, rows, width);
        CHECK(sameBits(out.read(), expected));
      }
    }
  }
}
