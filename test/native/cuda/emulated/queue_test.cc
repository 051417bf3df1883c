// What a queue makes of the GPU that it finds, and of the code that there is for it.
#include "cuda/queue.h"

#include <cuda_runtime.h>

#include <cstdlib>

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
