// In place of the GPU in a build without CUDA. The ops are empty functions then (cuda/ops.h), and never
// called.
#include "cuda/nccl_communicator.h"
#include "cuda/queue.h"

namespace persimmon::cuda {

std::shared_ptr<Queue> Queue::create(int, std::string& why) {
  why =
      "this build has no CUDA kernels: they are built on request, by nvcc (PERSIMMON_CUDA=ON npm run build)";
  return nullptr;
}

int Queue::gpuCount() { return 0; }

NcclRanks connectByNccl(const std::vector<std::shared_ptr<Stream>>&, double, std::string&) { return {}; }

}  // namespace persimmon::cuda
