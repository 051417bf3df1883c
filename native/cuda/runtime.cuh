// Launching kernels, for all .cu files.
#pragma once

#include <cuda_runtime.h>

#include <string>
#include <type_traits>

#include "cuda/queue.h"

namespace persimmon::cuda {

/** Errors after which, as CUDA's reference says of each, all work on any GPU fails until the process ends. */
inline bool isLasting(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
#if CUDART_VERSION >= 12080
    case cudaErrorContained:
    case cudaErrorTensorMemoryLeak:
#endif
      return true;
    default:
      return false;
  }
}

inline std::string textOf(cudaError_t status, const char* what) {
  const std::string text = std::string(what) + ": " + cudaGetErrorString(status);
  if (!isLasting(status)) return text;
  return text + "; this process cannot use a GPU any more: start it anew (in a notebook, restart the kernel)";
}

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // so that the next call does not report it again
  throw Error(textOf(status, what));
}

/** The CUDA stream behind a queue. */
cudaStream_t streamOf(Queue& queue);
/** For the graph that is being captured: its next node is this kernel. */
void noteKernel(Queue& queue, const void* kernel, bool overlaps);

/** Bytes of matrix weights since the beginning, on the GPU: what was read, and what was left out as zeros. */
unsigned long long* trafficOf(Queue& queue);

/** Counters for blocks that want to know which of them is the last; all 0 between two kernels. */
constexpr int64_t kMostArrivals = 8192;
unsigned* arrivalsOf(Queue& queue);

class CublasLt;
/** NVIDIA's matrix products, where the library was found; else nullptr. */
CublasLt* cublasLtOf(Queue& queue);
/** Another one, or none, for tests; returns the one before. */
CublasLt* setCublasLt(Queue& queue, CublasLt* library);

/** What a launch may say beside its sizes. */
struct LaunchOptions {
  size_t sharedBytes = 0;
  /**
   * Programmatic dependent launch: the kernel may start while the one before it ends, and waits by itself
   * (waitForPrevious() in device.cuh) before it reads or writes what others do. Hides about a microsecond a
   * kernel from sm_90 on; elsewhere it does nothing.
   */
  bool overlapping = false;
};

template <class... Parameters>
void launch(Queue& queue, void (*kernel)(Parameters...), dim3 blocks, dim3 threads, LaunchOptions options,
            std::type_identity_t<Parameters>... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.dynamicSmemBytes = options.sharedBytes;
  config.stream = streamOf(queue);
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  const bool overlaps = options.overlapping && queue.info().overlaps;
  if (overlaps) {
    config.attrs = &overlap;
    config.numAttrs = 1;
  }
  noteKernel(queue, reinterpret_cast<const void*>(kernel), overlaps);
  check(cudaLaunchKernelEx(&config, kernel, arguments...), "a kernel could not be launched");
}

/**
 * Lets a kernel have so many bytes of dynamic shared memory. More than 48 KiB, its static ones included
 * (under 1 KiB in all kernels), must be asked for, of each GPU anew.
 */
template <class Kernel>
void allowShared(Queue& queue, Kernel kernel, size_t bytes) {
  if (bytes <= size_t{47} << 10) return;
  check(cudaSetDevice(queue.info().number), "the GPU");
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        "shared memory of a kernel");
}

/** Seconds that what `work` launches takes on the GPU. Waits for it. */
template <class F>
float timed(Queue& queue, const F& work) {
  cudaEvent_t events[2];
  for (cudaEvent_t& event : events) check(cudaEventCreateWithFlags(&event, 0), "an event");
  check(cudaEventRecord(events[0], streamOf(queue)), "an event");
  work();
  check(cudaEventRecord(events[1], streamOf(queue)), "an event");
  queue.synchronize();
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, events[0], events[1]), "an event");
  for (cudaEvent_t event : events) cudaEventDestroy(event);
  return milliseconds / 1000;
}

/** Pieces of `size` that `count` has, the last of which may be smaller. */
inline int64_t ceilingOf(int64_t count, int64_t size) { return (count + size - 1) / size; }

/** Blocks for `count` pieces of `size`, at most what a grid's first axis takes. */
inline unsigned blocksFor(int64_t count, int64_t size) {
  const int64_t blocks = ceilingOf(count, size);
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks < 0x7fffffff ? blocks : 0x7fffffff);
}

}  // namespace persimmon::cuda
