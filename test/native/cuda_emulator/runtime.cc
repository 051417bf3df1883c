// Devices, streams, memory and graphs of the emulated runtime.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "fibers.h"
#include "stream.h"

namespace cuda_emulator {

struct Graph {
  std::vector<Node> nodes;
};

struct Executable {
  Graph graph;
};

namespace {

// One thread at a time is all GPUs.
std::mutex gpu;
std::condition_variable changed;
thread_local cudaError_t lastError = cudaSuccess;
thread_local int currentDevice = 0;

struct EmulatedStream final : Stream {
  void put(Node node) override;
  bool isCapturing() const override { return captured != nullptr; }
  int device() const override { return number; }
  void tellChange() override {
    // Nobody is between looking and waiting.
    const std::lock_guard lock(gpu);
    changed.notify_all();
  }
  void advance() override;

  const int number = currentDevice;
  std::deque<Node> queue;
  uint64_t given = 0;  // how much work there has been
  uint64_t done = 0;   // and how much of it has run
  std::unique_ptr<Graph> captured;
};

// Never freed: a process ends while others still launch.
auto& streams = *new std::vector<EmulatedStream*>;
auto& bytesInUse = *new std::map<int, size_t>;  // of each device
// Dynamic shared memory that a kernel may have on a device, where it asked for more than 48 KiB.
auto& sharedAllowed = *new std::map<std::pair<int, const void*>, size_t>;

cudaError_t failed(cudaError_t error) { return lastError = error; }

EmulatedStream& emulated(Stream* stream) { return static_cast<EmulatedStream&>(*stream); }

size_t totalBytes() {
  const char* text = std::getenv("PERSIMMON_CUDA_EMULATOR_BYTES");
  return text == nullptr ? size_t{4} << 30 : static_cast<size_t>(std::strtoull(text, nullptr, 10));
}

int deviceCount() {
  const char* text = std::getenv("PERSIMMON_CUDA_EMULATOR_DEVICES");
  return text == nullptr ? 1 : std::atoi(text);
}

// The status with which a call is to fail, by a variable.
cudaError_t refusal(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? cudaSuccess : static_cast<cudaError_t>(std::atoi(text));
}

int architecture() {
  const char* text = std::getenv("PERSIMMON_CUDA_EMULATOR_ARCHITECTURE");
  return text == nullptr ? 90 : std::atoi(text);
}

int multiprocessors() {
  const char* text = std::getenv("PERSIMMON_CUDA_EMULATOR_MULTIPROCESSORS");
  return text == nullptr ? 4 : std::atoi(text);
}

std::atomic<int64_t> overlapping = 0, refused = 0;

// Kernels that run before one has an illegal address, after which nothing works any more; -1 for no such.
std::atomic<int64_t>& kernelsUntilFault() {
  static std::atomic<int64_t> count = [] {
    const char* text = std::getenv("PERSIMMON_CUDA_EMULATOR_FAULT");
    return text == nullptr ? int64_t{-1} : static_cast<int64_t>(std::atoll(text));
  }();
  return count;
}
bool hasFaulted() { return kernelsUntilFault() == 0; }

cudaError_t afterAll() { return hasFaulted() ? failed(cudaErrorIllegalAddress) : cudaSuccess; }

// What stands before each block, so that its size is known when it is freed.
struct alignas(256) BlockHeader {
  size_t bytes;
  int device;
};

// Runs the first work of a stream. False where there is none, or it waits for another stream.
bool step(EmulatedStream& stream) {
  if (stream.queue.empty()) return false;
  if (const auto& isReady = stream.queue.front().isReady; isReady && !isReady()) return false;
  const Node node = std::move(stream.queue.front());
  stream.queue.pop_front();
  ++stream.done;
  if (node.kernel != nullptr && kernelsUntilFault() > 0) --kernelsUntilFault();
  if (!hasFaulted()) node.run();
  return true;
}

// Calls that wait for all GPUs, with everybody else kept out of the driver:
// PERSIMMON_CUDA_EMULATOR_MEMORY_WAITS.
int waitingCalls = 0;

// Runs what was put on the stream first, and no more than somebody waits for.
void runUntil(std::unique_lock<std::mutex>& lock, EmulatedStream& stream, uint64_t done) {
  try {
    while (stream.done < done) {
      if (step(stream)) continue;
      bool moved = false;
      for (EmulatedStream* other : streams) moved = (other != &stream && step(*other)) || moved;
      if (moved) continue;
      // Until somebody gives another stream work. Who waits for that stream is told what was done for it
      // here.
      changed.notify_all();
      changed.wait(lock);
    }
    changed.notify_all();
  } catch (const std::exception& error) {
    // A kernel that a real GPU would hang in, or reject: a mistake in the kernel, never in its data.
    std::fprintf(stderr, "emulated GPU: %s\n", error.what());
    std::abort();
  }
}

void EmulatedStream::advance() {
  const std::lock_guard lock(gpu);
  for (EmulatedStream* stream : streams)
    while (step(*stream)) {
    }
  changed.notify_all();
}

// A GPU whose work comes 10 ms late: PERSIMMON_CUDA_EMULATOR_SLOW.
void comeLate(const EmulatedStream& stream) {
  const char* text = std::getenv("PERSIMMON_CUDA_EMULATOR_SLOW");
  if (text != nullptr && std::atoi(text) == stream.number)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

// What a call may do that gives or takes back memory.
void waitForAllGpus(std::unique_lock<std::mutex>& lock) {
  if (std::getenv("PERSIMMON_CUDA_EMULATOR_MEMORY_WAITS") == nullptr) return;
  ++waitingCalls;
  const std::vector<EmulatedStream*> all = streams;
  for (EmulatedStream* stream : all)
    if (!stream->isCapturing()) runUntil(lock, *stream, stream->given);
  --waitingCalls;
  changed.notify_all();
}

void EmulatedStream::put(Node node) {
  comeLate(*this);
  {
    std::unique_lock lock(gpu);
    changed.wait(lock, [this] { return waitingCalls == 0 || captured != nullptr; });
    if (captured != nullptr) {
      captured->nodes.push_back(std::move(node));
      return;
    }
    queue.push_back(std::move(node));
    ++given;
  }
  changed.notify_all();
}

cudaError_t put(Stream* stream, Node node) {
  if (hasFaulted()) return failed(cudaErrorIllegalAddress);
  stream->put(std::move(node));
  return cudaSuccess;
}

}  // namespace

struct Event {
  EmulatedStream* stream = nullptr;
  uint64_t behind = 0;  // work of the stream that comes before it
};

cudaError_t allowShared(const void* kernel, size_t bytes) {
  const std::lock_guard lock(gpu);
  if (bytes > size_t{227} << 10) return failed(cudaErrorInvalidValue);
  sharedAllowed[{currentDevice, kernel}] = bytes;
  return cudaSuccess;
}

cudaError_t attributesOf(cudaFuncAttributes* attributes) {
  const char* text = std::getenv("PERSIMMON_CUDA_EMULATOR_PTX");
  attributes->ptxVersion = text == nullptr ? architecture() : std::atoi(text);
  const bool isThere = attributes->ptxVersion >= 80 && attributes->ptxVersion <= architecture();
  return isThere ? cudaSuccess : failed(cudaErrorNoKernelImageForDevice);
}

int64_t overlappingKernels() { return overlapping; }
int64_t refusedUpdates() { return refused; }

cudaError_t enqueueKernel(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body) {
  if (config.dynamicSmemBytes > size_t{48} << 10) {
    const std::lock_guard lock(gpu);
    const auto allowed = sharedAllowed.find({config.stream->device(), kernel});
    if (allowed == sharedAllowed.end() || allowed->second < config.dynamicSmemBytes)
      return failed(cudaErrorInvalidValue);
  }
  const dim3 blocks = config.gridDim, threads = config.blockDim;
  const bool valid = blocks.x > 0 && blocks.y > 0 && blocks.z > 0 && blocks.x <= 0x7fffffffu &&
                     blocks.y <= 65535 && blocks.z <= 65535 && threads.x * threads.y * threads.z >= 1 &&
                     threads.x * threads.y * threads.z <= 1024;
  if (!valid) return failed(cudaErrorInvalidConfiguration);
  if (config.stream->device() != currentDevice) return failed(cudaErrorInvalidResourceHandle);
  if (config.numAttrs > 0) ++overlapping;
  const auto run = [blocks, threads, shared = config.dynamicSmemBytes, overlaps = config.numAttrs > 0,
                    body = std::move(body)] {
    forEachBlock(blocks, [&](uint3 block) { runBlock(body, block, blocks, threads, shared, overlaps); });
  };
  return put(config.stream, {kernel, run, {}});
}

}  // namespace cuda_emulator

using namespace cuda_emulator;

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorNoKernelImageForDevice:
      return "no kernel image is available for execution on the device";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorGraphExecUpdateFailure:
      return "the graph update was not performed";
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorDevicesUnavailable:
      return "CUDA-capable device(s) is/are busy or unavailable";
    case cudaErrorSystemNotReady:
      return "system not yet initialized";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    default:
      break;
  }
  return "invalid argument";
}

cudaError_t cudaGetLastError() { return std::exchange(lastError, cudaSuccess); }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  if (const cudaError_t status = refusal("PERSIMMON_CUDA_EMULATOR_NO_DRIVER"); status != cudaSuccess)
    return failed(status);
  *count = deviceCount();
  return *count > 0 ? cudaSuccess : failed(cudaErrorNoDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const int number = architecture();
  std::snprintf(properties->name, sizeof properties->name, "emulated GPU");
  properties->major = number / 10;
  properties->minor = number % 10;
  properties->multiProcessorCount = multiprocessors();
  properties->totalGlobalMem = totalBytes();
  properties->sharedMemPerBlockOptin = 227 << 10;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (const cudaError_t status = refusal("PERSIMMON_CUDA_EMULATOR_NO_CONTEXT"); status != cudaSuccess)
    return failed(status);
  if (device < 0 || device >= deviceCount()) return failed(cudaErrorInvalidDevice);
  currentDevice = device;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const std::lock_guard lock(gpu);
  *total = totalBytes();
  *free = *total - bytesInUse[currentDevice];
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
  if (hasFaulted()) return failed(cudaErrorIllegalAddress);
  std::unique_lock lock(gpu);
  waitForAllGpus(lock);
  if (bytes > totalBytes() - bytesInUse[currentDevice]) return failed(cudaErrorMemoryAllocation);
  void* memory = std::aligned_alloc(256, (sizeof(BlockHeader) + bytes + 255) / 256 * 256);
  if (memory == nullptr) return failed(cudaErrorMemoryAllocation);
  *static_cast<BlockHeader*>(memory) = {bytes, currentDevice};
  bytesInUse[currentDevice] += bytes;
  *data = static_cast<uint8_t*>(memory) + sizeof(BlockHeader);
  std::memset(*data, 0xFF, bytes);
  return cudaSuccess;
}

// CUDA's may wait for what was put on the GPU before, and need not: who still reads it finds NaN.
cudaError_t cudaFree(void* data) {
  if (data == nullptr) return cudaSuccess;
  std::unique_lock lock(gpu);
  waitForAllGpus(lock);
  auto* header = reinterpret_cast<BlockHeader*>(static_cast<uint8_t*>(data) - sizeof(BlockHeader));
  bytesInUse[header->device] -= header->bytes;
  std::memset(data, 0xFF, header->bytes);
  // Else the compiler leaves that out, since the memory is freed.
  __asm__ volatile("" : : "r"(data) : "memory");
  std::free(header);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** data, size_t bytes) {
  if (hasFaulted()) return failed(cudaErrorIllegalAddress);
  std::unique_lock lock(gpu);
  waitForAllGpus(lock);
  *data = std::malloc(bytes);
  return *data == nullptr ? failed(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t cudaFreeHost(void* data) {
  std::unique_lock lock(gpu);
  waitForAllGpus(lock);
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(gpu);
  auto* made = new EmulatedStream;
  streams.push_back(made);
  *stream = made;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(gpu);
  std::erase(streams, &emulated(stream));
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  std::unique_lock lock(gpu);
  if (stream->isCapturing()) return failed(cudaErrorStreamCaptureUnsupported);
  runUntil(lock, emulated(stream), emulated(stream).given);
  return afterAll();
}

cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  return put(stream, {nullptr, [=] { std::memmove(target, source, bytes); }, {}});
}

cudaError_t cudaMemsetAsync(void* target, int value, size_t bytes, cudaStream_t stream) {
  return put(stream, {nullptr, [=] { std::memset(target, value, bytes); }, {}});
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new Event;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (hasFaulted()) return failed(cudaErrorIllegalAddress);
  const std::lock_guard lock(gpu);
  *event = {&emulated(stream), emulated(stream).given};
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  std::unique_lock lock(gpu);
  if (event->stream == nullptr) return cudaSuccess;
  if (event->stream->isCapturing()) return failed(cudaErrorStreamCaptureUnsupported);
  runUntil(lock, *event->stream, event->behind);
  return afterAll();
}

// Runs what can run: a GPU would not wait until it is asked.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  std::unique_lock lock(gpu);
  changed.wait(lock, [] { return waitingCalls == 0; });
  if (event->stream == nullptr) return cudaSuccess;
  while (event->stream->done < event->behind) {
    if (!step(*event->stream)) return failed(cudaErrorNotReady);
    changed.notify_all();
  }
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 1000;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const std::lock_guard lock(gpu);
  if (stream->isCapturing()) return failed(cudaErrorStreamCaptureUnsupported);
  emulated(stream).captured = std::make_unique<Graph>();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(gpu);
  if (!stream->isCapturing()) return failed(cudaErrorInvalidValue);
  *graph = emulated(stream).captured.release();
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void*, size_t* count) {
  *count = graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  std::unique_lock lock(gpu);
  waitForAllGpus(lock);
  *executable = new Executable{*graph};
  return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t executable, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo*) {
  const std::vector<Node>&before = executable->graph.nodes, &now = graph->nodes;
  bool alike = before.size() == now.size();
  for (size_t i = 0; alike && i < now.size(); ++i) alike = before[i].kernel == now[i].kernel;
  refused += alike ? 0 : 1;
  if (!alike) return failed(cudaErrorGraphExecUpdateFailure);
  executable->graph = *graph;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (hasFaulted()) return failed(cudaErrorIllegalAddress);
  for (const Node& node : executable->graph.nodes) put(stream, node);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
