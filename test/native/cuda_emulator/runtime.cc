// Streams, memory and graphs of the emulated runtime.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "fibers.h"

namespace cuda_emulator {

// Work, and which kernel it is (null: a copy).
struct Node {
  const void* kernel;
  std::function<void()> run;
};

struct Graph {
  std::vector<Node> nodes;
};

struct Executable {
  Graph graph;
};

struct Stream {
  std::deque<Node> queue;
  uint64_t put = 0;   // how much work there has been
  uint64_t done = 0;  // and how much of it has run
  std::unique_ptr<Graph> captured;
  bool capturing = false;
};

struct Event {
  Stream* stream = nullptr;
  uint64_t behind = 0;  // work of the stream that comes before it
};

namespace {

// One thread at a time is the GPU.
std::recursive_mutex gpu;
thread_local cudaError_t lastError = cudaSuccess;
std::vector<Stream*> streams;
size_t bytesInUse = 0;

cudaError_t failed(cudaError_t error) { return lastError = error; }

size_t totalBytes() {
  static const size_t total = [] {
    const char* text = std::getenv("PERSIMMON_CUDA_EMULATOR_BYTES");
    return text == nullptr ? size_t{4} << 30 : static_cast<size_t>(std::strtoull(text, nullptr, 10));
  }();
  return total;
}

// What stands before each block, so that its size is known when it is freed.
struct alignas(256) BlockHeader {
  size_t bytes;
};

// Runs what was put on the stream first, and no more than somebody waits for.
cudaError_t runUntil(Stream& stream, uint64_t done) {
  const std::lock_guard lock(gpu);
  if (stream.capturing) return failed(cudaErrorStreamCaptureUnsupported);
  try {
    while (stream.done < done) {
      const Node node = std::move(stream.queue.front());
      stream.queue.pop_front();
      ++stream.done;
      node.run();
    }
  } catch (const std::exception& error) {
    // A kernel that a real GPU would hang in, or reject: a mistake in the kernel, never in its data.
    std::fprintf(stderr, "emulated GPU: %s\n", error.what());
    std::abort();
  }
  return cudaSuccess;
}

cudaError_t put(Stream* stream, Node node) {
  const std::lock_guard lock(gpu);
  if (stream->capturing) {
    stream->captured->nodes.push_back(std::move(node));
  } else {
    stream->queue.push_back(std::move(node));
    ++stream->put;
  }
  return cudaSuccess;
}

}  // namespace

cudaError_t enqueueKernel(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body) {
  const dim3 blocks = config.gridDim, threads = config.blockDim;
  const bool valid = blocks.x > 0 && blocks.y > 0 && blocks.z > 0 && blocks.x <= 0x7fffffffu &&
                     blocks.y <= 65535 && blocks.z <= 65535 && threads.x * threads.y * threads.z >= 1 &&
                     threads.x * threads.y * threads.z <= 1024;
  if (!valid) return failed(cudaErrorInvalidConfiguration);
  return put(config.stream,
             {kernel, [blocks, threads, shared = config.dynamicSmemBytes, body = std::move(body)] {
                for (unsigned z = 0; z < blocks.z; ++z)
                  for (unsigned y = 0; y < blocks.y; ++y)
                    for (unsigned x = 0; x < blocks.x; ++x)
                      runBlock(body, {x, y, z}, blocks, threads, shared);
              }});
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
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorGraphExecUpdateFailure:
      return "the graph update was not performed";
    case cudaErrorInvalidValue:
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
  const char* text = std::getenv("PERSIMMON_CUDA_EMULATOR_DEVICES");
  *count = text == nullptr ? 1 : std::atoi(text);
  return *count > 0 ? cudaSuccess : failed(cudaErrorNoDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const char* architecture = std::getenv("PERSIMMON_CUDA_EMULATOR_ARCHITECTURE");
  const int number = architecture == nullptr ? 90 : std::atoi(architecture);
  std::snprintf(properties->name, sizeof properties->name, "emulated GPU");
  properties->major = number / 10;
  properties->minor = number % 10;
  properties->multiProcessorCount = 4;
  properties->totalGlobalMem = totalBytes();
  properties->sharedMemPerBlockOptin = 227 << 10;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int) { return cudaSuccess; }

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const std::lock_guard lock(gpu);
  *total = totalBytes();
  *free = *total - bytesInUse;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
  const std::lock_guard lock(gpu);
  if (bytes > totalBytes() - bytesInUse) return failed(cudaErrorMemoryAllocation);
  void* memory = std::aligned_alloc(256, (sizeof(BlockHeader) + bytes + 255) / 256 * 256);
  if (memory == nullptr) return failed(cudaErrorMemoryAllocation);
  static_cast<BlockHeader*>(memory)->bytes = bytes;
  bytesInUse += bytes;
  *data = static_cast<uint8_t*>(memory) + sizeof(BlockHeader);
  std::memset(*data, 0xFF, bytes);
  return cudaSuccess;
}

// As CUDA's, it waits for all that was put on the GPU before.
cudaError_t cudaFree(void* data) {
  if (data == nullptr) return cudaSuccess;
  const std::lock_guard lock(gpu);
  for (Stream* stream : streams) {
    if (!stream->capturing) (void)cudaStreamSynchronize(stream);
  }
  auto* header = reinterpret_cast<BlockHeader*>(static_cast<uint8_t*>(data) - sizeof(BlockHeader));
  bytesInUse -= header->bytes;
  std::free(header);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** data, size_t bytes) {
  *data = std::malloc(bytes);
  return *data == nullptr ? failed(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t cudaFreeHost(void* data) {
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(gpu);
  *stream = new Stream;
  streams.push_back(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(gpu);
  std::erase(streams, stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return runUntil(*stream, stream->put); }

cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  return put(stream, {nullptr, [=] { std::memmove(target, source, bytes); }});
}

cudaError_t cudaMemsetAsync(void* target, int value, size_t bytes, cudaStream_t stream) {
  return put(stream, {nullptr, [=] { std::memset(target, value, bytes); }});
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
  *event = {stream, stream->put};
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return event->stream == nullptr ? cudaSuccess : runUntil(*event->stream, event->behind);
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 1000;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->capturing) return failed(cudaErrorStreamCaptureUnsupported);
  stream->capturing = true;
  stream->captured = std::make_unique<Graph>();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!stream->capturing) return failed(cudaErrorInvalidValue);
  stream->capturing = false;
  *graph = stream->captured.release();
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void*, size_t* count) {
  *count = graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new Executable{*graph};
  return cudaSuccess;
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t executable, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo*) {
  const std::vector<Node>&before = executable->graph.nodes, &now = graph->nodes;
  bool alike = before.size() == now.size();
  for (size_t i = 0; alike && i < now.size(); ++i) alike = before[i].kernel == now[i].kernel;
  if (!alike) return failed(cudaErrorGraphExecUpdateFailure);
  executable->graph = *graph;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
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
