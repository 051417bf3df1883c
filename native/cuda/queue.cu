// The queue on the CUDA runtime (cuda/queue.h).
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "cuda/captured_graph.cuh"
#include "cuda/cublaslt.h"
#include "cuda/host_copies.cuh"
#include "cuda/launch_gate.h"
#include "cuda/ops/linear_joined.cuh"
#include "cuda/runtime.cuh"
#include "cuda/staging.cuh"

namespace persimmon::cuda {

namespace {

class CudaQueue final : public Queue {
 public:
  CudaQueue(int device, DeviceInfo info) : device_(device), info_(std::move(info)) {}

  void open() {
    const MemoryCall call;
    check(cudaSetDevice(device_), "the GPU");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream");
    staging_.open();
    constexpr size_t kTrafficBytes = 2 * sizeof(*traffic_),
                     kArrivalBytes = kMostArrivals * sizeof(*arrivals_);
    check(cudaMalloc(reinterpret_cast<void**>(&traffic_), kTrafficBytes), "memory of the GPU");
    check(cudaMemsetAsync(traffic_, 0, kTrafficBytes, stream_), "memory of the GPU");
    check(cudaMalloc(reinterpret_cast<void**>(&arrivals_), kArrivalBytes), "memory of the GPU");
    check(cudaMemsetAsync(arrivals_, 0, kArrivalBytes, stream_), "memory of the GPU");
    openCublasLt();
  }

  ~CudaQueue() override {
    cudaSetDevice(device_);
    if (stream_ != nullptr) cudaStreamSynchronize(stream_);
    const MemoryCall call;
    openedCublasLt_.reset();
    scratch_.free();
    arguments_.free();
    if (traffic_ != nullptr) cudaFree(traffic_);
    if (arrivals_ != nullptr) cudaFree(arrivals_);
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }

  const DeviceInfo& info() const override { return info_; }

  size_t freeBytes() const override {
    size_t free = 0, total = 0;
    cudaSetDevice(device_);
    if (cudaMemGetInfo(&free, &total) != cudaSuccess) return 0;
    return free;
  }

  uint8_t* allocate(size_t bytes) override {
    void* data = nullptr;
    cudaSetDevice(device_);
    const MemoryCall call;
    const cudaError_t status = cudaMalloc(&data, bytes == 0 ? 1 : bytes);
    if (status == cudaSuccess) return static_cast<uint8_t*>(data);
    (void)cudaGetLastError();
    keepLasting(status);
    return nullptr;
  }

  std::string whyOver() const override {
    const cudaError_t status = lasting_;
    return status == cudaSuccess ? "" : textOf(status, "memory of the GPU");
  }

  void release(uint8_t* data) override {
    cudaSetDevice(device_);
    // CUDA's reference says only that cudaFree may wait. Nothing is captured now: whoever releases is a
    // command of this stream, or comes when its thread has ended.
    cudaStreamSynchronize(stream_);
    const MemoryCall call;
    cudaFree(data);
  }

  std::shared_ptr<uint8_t> pinned(const void* source, size_t bytes) override {
    void* data = nullptr;
    cudaSetDevice(device_);
    const MemoryCall call;
    const cudaError_t status = cudaMallocHost(&data, bytes == 0 ? 1 : bytes);
    keepLasting(status);
    check(status, "pinned memory");
    std::memcpy(data, source, bytes);
    return {static_cast<uint8_t*>(data), [](uint8_t* memory) {
              const MemoryCall freeing;
              cudaFreeHost(memory);
            }};
  }

  void copyIn(void* target, const void* source, size_t bytes) override {
    if (capturing_) throw Error("a copy from changing memory cannot be part of a graph");
    bind();
    ++counts_.copiesIn;
    staging_.copyIn(stream_, static_cast<uint8_t*>(target), static_cast<const uint8_t*>(source), bytes);
  }

  void copyPinned(void* target, const void* source, size_t bytes) override {
    bind();
    if (!capturing_) ++counts_.copiesIn;
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyHostToDevice, stream_), "a copy to the GPU");
  }

  void copyOut(void* target, const void* source, size_t bytes) override {
    bind();
    ++counts_.copiesOut;
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost, stream_), "a copy from the GPU");
    synchronize();
  }

  std::shared_ptr<HostCopy> startCopyOut(const void* source, size_t bytes) override {
    bind();
    ++counts_.copiesOut;
    return hostCopies_->start(stream_, source, bytes);
  }

  void copy(void* target, const void* source, size_t bytes) override {
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, stream()), "a copy on the GPU");
  }

  void fill(void* target, uint8_t value, size_t bytes) override {
    check(cudaMemsetAsync(target, value, bytes, stream()), "filling memory of the GPU");
  }

  void synchronize() override {
    bind();
    check(cudaStreamSynchronize(stream_), "the GPU");
  }

  uint8_t* scratch(size_t bytes) override { return scratch_.atLeast(*this, bytes); }

  uint8_t* arguments(const void* source, size_t bytes) override {
    uint8_t* target = arguments_.atLeast(*this, bytes);
    copyIn(target, source, bytes);
    return target;
  }

  void beginCapture() override {
    bind();
    // Only what this thread does is captured, and restricted: JavaScript's thread may allocate meanwhile.
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "a capture");
    capturing_ = true;
    arrangement_ = 0;
    shared_ = {};
  }

  std::shared_ptr<Graph> endCapture() override {
    cudaGraph_t graph = nullptr;
    capturing_ = false;
    SharedGraph shared = std::exchange(shared_, {});
    check(cudaStreamEndCapture(stream_, &graph), "a capture");
    const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, decltype(&cudaGraphDestroy)> held(
        graph, &cudaGraphDestroy);
    size_t nodes = 0;
    check(cudaGraphGetNodes(graph, nullptr, &nodes), "a graph");
    ++counts_.captured;
    const MemoryCall call;
    cudaGraphExec_t executable =
        shared.partner == nullptr ? idle_->takeUpdated(graph, arrangement_) : nullptr;
    if (executable != nullptr) {
      ++counts_.updated;
    } else {
      check(cudaGraphInstantiate(&executable, graph, 0), "a graph");
    }
    auto captured =
        std::make_shared<CapturedGraph>(executable, nodes, arrangement_, idle_, std::move(shared));
    // So that nothing is left to be done between the meeting of the ranks and the launches.
    if (captured->shared().partner != nullptr) check(cudaGraphUpload(executable, stream_), "a graph");
    return captured;
  }

  void dropCapture() override {
    capturing_ = false;
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(stream_, &graph) == cudaSuccess && graph != nullptr) cudaGraphDestroy(graph);
    (void)cudaGetLastError();
    shared_ = {};
  }

  bool shareCapture(std::shared_ptr<GraphPartner> partner, int64_t number) override {
    if (capturing_) shared_ = {std::move(partner), number};
    return capturing_;
  }

  bool launch(Graph& graph) override {
    auto& captured = static_cast<CapturedGraph&>(graph);
    const auto start = [&] {
      bind();
      check(cudaGraphLaunch(captured.executable(), stream_), "a graph");
      ++counts_.launched;
      counts_.nodes += static_cast<int64_t>(graph.nodes());
    };
    if (const auto& [partner, number] = captured.shared(); partner != nullptr)
      return partner->launch(number, start);
    if (graph.nodes() > 0) start();
    return true;
  }

  void launch(const JoinedOps& joined) override { linearJoined(*this, joined); }

  QueueCounts counts() const override { return counts_; }

  /** Where the next launch goes. */
  cudaStream_t stream() {
    bind();
    if (!capturing_) ++counts_.alone;
    note(1);
    return stream_;
  }
  void note(uint64_t what) { arrangement_ = (arrangement_ ^ what) * 1099511628211u; }  // FNV-1a
  unsigned long long* traffic() const { return traffic_; }
  unsigned* arrivals() const { return arrivals_; }
  CublasLt* cublasLt() const { return cublasLt_; }
  CublasLt* setCublasLt(CublasLt* library) { return std::exchange(cublasLt_, library); }

 private:
  // Memory that grows. Older blocks stay for the graphs that use them; doubling keeps their sum below the
  // newest.
  class Working {
   public:
    uint8_t* atLeast(CudaQueue& queue, size_t bytes) {
      if (bytes <= bytes_ && !blocks_.empty()) return blocks_.back();
      if (queue.capturing_)
        throw Error("an op asked for more working memory when it was captured than before");
      const size_t size = bytes < 2 * bytes_ ? 2 * bytes_ : bytes;
      uint8_t* block = queue.allocate(size);
      if (block == nullptr) {
        const std::string over = queue.whyOver();
        throw Error(over.empty() ? "the GPU has no " + std::to_string(size >> 20) + " MiB left for an op"
                                 : over);
      }
      blocks_.push_back(block);
      bytes_ = size;
      return block;
    }
    void free() {
      for (uint8_t* block : blocks_) cudaFree(block);
    }

   private:
    std::vector<uint8_t*> blocks_;
    size_t bytes_ = 0;
  };

  // Where it is found and starts, unless PERSIMMON_CUBLASLT is 0; what is named there has to. Before memory
  // is counted: it may load its kernels at once.
  void openCublasLt() {
    const char* wanted = std::getenv("PERSIMMON_CUBLASLT");
    const std::string file = wanted == nullptr ? "" : wanted;
    if (file == "0") return;
#ifdef PERSIMMON_CUDA_EMULATED
    // NVIDIA's would take the emulated runtime's streams for its own.
    if (file.empty()) return;
#endif
    std::string why;
    const CublasLtFunctions* functions = CublasLtFunctions::load(file, why);
    if (functions == nullptr) {
      if (file.empty()) return;
      throw Error(why);
    }
    try {
      openedCublasLt_ = std::make_unique<CublasLt>(*functions);
    } catch (const Error&) {
      if (file.empty()) return;
      throw;
    }
    cublasLt_ = openedCublasLt_.get();
    info_.cublasLt = cublasLt_->version();
  }

  void keepLasting(cudaError_t status) {
    if (isLasting(status)) lasting_ = status;
  }

  // The GPU is a property of each thread, and a process may use several.
  void bind() const { cudaSetDevice(device_); }

  const int device_;
  DeviceInfo info_;
  cudaStream_t stream_ = nullptr;
  unsigned long long* traffic_ = nullptr;
  unsigned* arrivals_ = nullptr;
  std::unique_ptr<CublasLt> openedCublasLt_;
  CublasLt* cublasLt_ = nullptr;
  Staging staging_;
  Working scratch_, arguments_;
  bool capturing_ = false;
  // Of the capture: a hash of what its nodes are, in order.
  uint64_t arrangement_ = 0;
  SharedGraph shared_;
  std::atomic<cudaError_t> lasting_ = cudaSuccess;
  QueueCounts counts_;
  const std::shared_ptr<HostCopies> hostCopies_ = std::make_shared<HostCopies>();
  const std::shared_ptr<IdleGraphs> idle_ = std::make_shared<IdleGraphs>();
};

// Compiled as all kernels are.
__global__ void anyKernel() {}

std::string versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/** What CUDA says, and what helps where that is known. */
std::string textOfFailure(cudaError_t status) {
  const std::string text = cudaGetErrorString(status);
  int driver = 0;  // stays 0 where none is installed
  (void)cudaDriverGetVersion(&driver);
  switch (status) {
    case cudaErrorInsufficientDriver:
      return text + ": it knows CUDA " + versionText(driver) + ", and this build is of CUDA " +
             versionText(CUDART_VERSION) +
             ". A newer driver is needed (525 for CUDA 12, 580 for CUDA 13), or a " +
             "build by an older nvcc";
    case cudaErrorSystemNotReady:
      return text +
             ": on a machine with NVSwitch the service nvidia-fabricmanager has to run, in the version " +
             "of the driver";
    case cudaErrorDevicesUnavailable:
      return text + ": another process has it for itself, as nvidia-smi -q -d COMPUTE shows";
    default:
      return text;
  }
}

/** Why there is no GPU at all, when the runtime says `status`. */
std::string whyNone(cudaError_t status) {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0) return "this machine has no CUDA driver";
  return "no GPU can be used: " + textOfFailure(status);
}

}  // namespace

cudaStream_t streamOf(Queue& queue) { return static_cast<CudaQueue&>(queue).stream(); }
void noteKernel(Queue& queue, const void* kernel, bool overlaps) {
  static_cast<CudaQueue&>(queue).note(reinterpret_cast<uintptr_t>(kernel) ^ (overlaps ? 1 : 0));
}
CublasLt* cublasLtOf(Queue& queue) { return static_cast<CudaQueue&>(queue).cublasLt(); }
CublasLt* setCublasLt(Queue& queue, CublasLt* library) {
  return static_cast<CudaQueue&>(queue).setCublasLt(library);
}
unsigned long long* trafficOf(Queue& queue) { return static_cast<CudaQueue&>(queue).traffic(); }
unsigned* arrivalsOf(Queue& queue) { return static_cast<CudaQueue&>(queue).arrivals(); }

// Kernels are loaded with the addon, some 100 ms, not when each is launched for the first time: that waits
// for all work of the GPU, which may be a collective that waits for another GPU, and may be forbidden in a
// capture. Read by the driver when it starts.
static void loadKernelsAtOnce() {
  static const int set = setenv("CUDA_MODULE_LOADING", "EAGER", 0);
  (void)set;
}

int Queue::gpuCount() {
  loadKernelsAtOnce();
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  (void)cudaGetLastError();
  return 0;
}

std::shared_ptr<Queue> Queue::create(int device, std::string& why) {
  loadKernelsAtOnce();
  int count = 0;
  if (const cudaError_t status = cudaGetDeviceCount(&count); status != cudaSuccess) {
    (void)cudaGetLastError();
    why = whyNone(status);
    return nullptr;
  }
  if (device < 0 || device >= count) {
    why = "there is no GPU " + std::to_string(device) + ", but " + std::to_string(count) + ", counted from 0";
    return nullptr;
  }
  cudaDeviceProp properties{};
  if (const cudaError_t status = cudaGetDeviceProperties(&properties, device); status != cudaSuccess) {
    why = "the GPU does not answer: " + textOfFailure(status);
    return nullptr;
  }
  // From CUDA 12 on this makes the context.
  if (const cudaError_t status = cudaSetDevice(device); status != cudaSuccess) {
    (void)cudaGetLastError();
    why = "the " + std::string(properties.name) + " cannot be used: " + textOfFailure(status);
    return nullptr;
  }
  // Whether there is code for this GPU, and what it was compiled for: 80, 90, …
  cudaFuncAttributes kernel{};
  if (const cudaError_t status = cudaFuncGetAttributes(&kernel, anyKernel); status != cudaSuccess) {
    (void)cudaGetLastError();
    why = "the " + std::string(properties.name) + " has compute capability " +
          std::to_string(properties.major) + "." + std::to_string(properties.minor) +
          ", and this build has no kernels for it (" + textOfFailure(status) + ")";
    return nullptr;
  }
  DeviceInfo info{.name = properties.name,
                  .number = device,
                  .major = properties.major,
                  .minor = properties.minor,
                  .multiprocessors = properties.multiProcessorCount,
                  .totalBytes = properties.totalGlobalMem,
                  .overlaps = properties.major >= 9 && kernel.ptxVersion >= 90,
                  .cublasLt = ""};
  auto queue = std::make_shared<CudaQueue>(device, std::move(info));
  try {
    queue->open();
  } catch (const Error& error) {
    why = error.what();
    return nullptr;
  }
  return queue;
}

}  // namespace persimmon::cuda
