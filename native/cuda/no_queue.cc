// In place of the GPU in a build without CUDA. The ops are empty functions then (cuda/ops.h), and never
// called.
#include "cuda/queue.h"

namespace persimmon::cuda {

std::shared_ptr<Queue> Queue::create(int, std::string& why) {
  why =
      "this build has no CUDA kernels: they are built on request, by nvcc (PERSIMMON_CUDA=ON npm run build)";
  return nullptr;
}

}  // namespace persimmon::cuda
