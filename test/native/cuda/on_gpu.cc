#include "on_gpu.h"

#include <cstdlib>

namespace check {

persimmon::cuda::Queue& gpu() {
  static const std::shared_ptr<persimmon::cuda::Queue> queue = [] {
    std::string why;
    auto made = persimmon::cuda::Queue::create(0, why);
    if (made == nullptr) {
      std::printf("no GPU for the tests: %s\n", why.c_str());
      std::exit(2);
    }
    return made;
  }();
  return *queue;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  return distance(a, std::vector<double>(b.begin(), b.end()));
}

ThreadPool& cpuPool() {
  static ThreadPool pool(1);
  return pool;
}

}  // namespace check
