// What a queue makes of the GPU that it finds, and of the code that there is for it.
#include "cuda/queue.h"

#include <cuda_runtime.h>

#include <cstdlib>

#include "core/stream.h"
#include "on_gpu.h"

using namespace check;
namespace cuda = persimmon::cuda;

namespace {

// A GPU of an architecture, with kernels compiled for one, while this lives.
class Emulated {
 public:
  Emulated(const char* architecture, const char* ptx) {
    setenv("PERSIMMON_CUDA_EMULATOR_ARCHITECTURE", architecture, 1);
    setenv("PERSIMMON_CUDA_EMULATOR_PTX", ptx, 1);
  }
  ~Emulated() {
    unsetenv("PERSIMMON_CUDA_EMULATOR_ARCHITECTURE");
    unsetenv("PERSIMMON_CUDA_EMULATOR_PTX");
  }
};

// How many of the kernels of an op might have begun before the ones in front of them had ended.
int64_t overlappingOn(const char* architecture, const char* ptx) {
  const Emulated emulated(architecture, ptx);
  std::string why;
  const auto queue = cuda::Queue::create(0, why);
  CHECK(queue != nullptr);
  if (queue == nullptr) return -1;
  const int64_t before = cuda_emulator::overlappingKernels();
  uint8_t* x = queue->allocate(4 * sizeof(float));
  queue->fill(x, 0, 4 * sizeof(float));
  cuda::reluSquared(*queue, reinterpret_cast<float*>(x), reinterpret_cast<const float*>(x), 4);
  queue->synchronize();
  queue->release(x);
  return cuda_emulator::overlappingKernels() - before;
}

}  // namespace

TEST(kernelsOverlapWhereTheyWereCompiledToWait) {
  CHECK(overlappingOn("90", "90") == 1);
  CHECK(overlappingOn("120", "90") == 1);
  CHECK(overlappingOn("90", "80") == 0);  // code of a build for 8.0, translated by the driver
  CHECK(overlappingOn("80", "80") == 0);
}

TEST(aGpuWithoutCodeIsRefusedWithTheReason) {
  for (const char* architecture : {"75", "80"}) {
    const Emulated emulated(architecture, "90");
    std::string why;
    CHECK(cuda::Queue::create(0, why) == nullptr);
    const std::string number = std::string() + architecture[0] + "." + architecture[1];
    CHECK_MESSAGE(why == "the emulated GPU has compute capability " + number +
                             ", and this build has no kernels for it (no kernel image is available for "
                             "execution on the device)",
                  why);
  }
}

TEST(gpusThatCannotBeUsedSayWhatWouldHelp) {
  const auto refusalOf = [](const char* variable, int status) {
    setenv(variable, std::to_string(status).c_str(), 1);
    std::string why;
    CHECK(cuda::Queue::create(0, why) == nullptr);
    unsetenv(variable);
    return why;
  };
  const auto is = [](const std::string& why, const std::string& text) { CHECK_MESSAGE(why == text, why); };
  is(refusalOf("PERSIMMON_CUDA_EMULATOR_NO_DRIVER", 35),
     "no GPU can be used: CUDA driver version is insufficient for CUDA runtime version: it knows CUDA 13.0, "
     "and this build is of CUDA 13.0. A newer driver is needed (525 for CUDA 12, 580 for CUDA 13), or a "
     "build by an "
     "older nvcc");
  is(refusalOf("PERSIMMON_CUDA_EMULATOR_NO_CONTEXT", 802),
     "the emulated GPU cannot be used: system not yet initialized: on a machine with NVSwitch the service "
     "nvidia-fabricmanager has to run, in the version of the driver");
  is(refusalOf("PERSIMMON_CUDA_EMULATOR_NO_CONTEXT", 46),
     "the emulated GPU cannot be used: CUDA-capable device(s) is/are busy or unavailable: another process "
     "has "
     "it for itself, as nvidia-smi -q -d COMPUTE shows");
}

// CUDA does not promise that cudaFree waits, and the emulated one does not.
TEST(memoryIsGivenBackWhenNobodyReadsItAnyMore) {
  std::string why;
  const auto queue = cuda::Queue::create(0, why);
  const std::vector<float> x = {1, 2, 3, 4};
  const size_t bytes = x.size() * sizeof(float);
  uint8_t *from = queue->allocate(bytes), *to = queue->allocate(bytes);
  queue->copyIn(from, x.data(), bytes);
  queue->synchronize();
  queue->copy(to, from, bytes);
  queue->release(from);
  std::vector<float> found(x.size());
  queue->copyOut(found.data(), to, bytes);
  queue->release(to);
  CHECK(found == x);
}

TEST(graphsAreUpdatedWhereTheyAreArrangedAlike) {
  std::string why;
  const auto queue = cuda::Queue::create(0, why);
  const OnGpu<float> x(std::vector<float>{-1, 2, -3, 4}), y(4);
  gpu().synchronize();  // whose stream they come by
  using Op = void (*)(cuda::Queue&, float*, const float*, int64_t);
  const auto captured = [&](Op first, Op second) {
    queue->beginCapture();
    first(*queue, y.data(), x.data(), 4);
    second(*queue, y.data(), y.data(), 4);
    return queue->endCapture();
  };
  const auto updates = [&] { return queue->counts().updated; };
  captured(cuda::reluSquared, cuda::gelu);
  captured(cuda::gelu, cuda::reluSquared);
  CHECK(updates() == 0);
  const auto graph = captured(cuda::reluSquared, cuda::gelu);
  CHECK(updates() == 1 && cuda_emulator::refusedUpdates() == 0);
  queue->launch(*graph);
  queue->synchronize();
  CHECK(check::distance(y.read(), std::vector<float>{0, 4, 0, 16}) < 1e-4);
}

namespace {

/** A stream on a GPU of its own with so much memory. */
class SmallGpu {
 public:
  explicit SmallGpu(size_t bytes) {
    setenv("PERSIMMON_CUDA_EMULATOR_DEVICES", "2", 1);
    setenv("PERSIMMON_CUDA_EMULATOR_BYTES", std::to_string(bytes).c_str(), 1);
    std::string why;
    stream = std::make_unique<persimmon::Stream>(1, cuda::Queue::create(1, why));
  }
  ~SmallGpu() {
    stream = nullptr;
    unsetenv("PERSIMMON_CUDA_EMULATOR_DEVICES");
    unsetenv("PERSIMMON_CUDA_EMULATOR_BYTES");
  }
  std::unique_ptr<persimmon::Stream> stream;
};

}  // namespace

TEST(gpusKeepASixteenthOfTheirMemoryForTheNextPass) {
  const SmallGpu gpu(size_t{16} << 30);
  persimmon::Arena& arena = gpu.stream->arena();
  const size_t large = size_t{700} << 20;
  arena.giveBack(arena.take(large));
  CHECK(arena.statistics().bytesCached >= large);
  arena.giveBack(arena.take(2 * large));
  CHECK(arena.statistics().bytesCached <= size_t{1} << 30);
}

TEST(gpusGiveWhatTheyKeepToWhoFindsNoneLeft) {
  const size_t all = size_t{64} << 20, most = size_t{40} << 20;
  const SmallGpu gpu(all);
  persimmon::Arena& arena = gpu.stream->arena();
  arena.giveBack(arena.take(most));
  CHECK(gpu.stream->allocate(most));
  CHECK(arena.statistics().bytesCached == 0);
  CHECK(!gpu.stream->allocate(all + 1));
}
