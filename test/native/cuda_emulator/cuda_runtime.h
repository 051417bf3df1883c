// A CUDA runtime without a GPU, for tests: native/cuda/*.cu compiled by the host's compiler runs here, on one
// thread of the CPU. Every thread of a block is a fiber; __syncthreads, shuffles and votes switch between
// them. Streams run late: what was put on one runs when somebody waits for it, so that memory which was used
// again or changed too early is noticed (by AddressSanitizer, or by wrong numbers). Shared memory and new
// memory hold NaN.
//
// What it shows: indices, bounds, barriers, the order of copies and captures, kernels that overlap others and
// do not wait, and races of threads, where a second run takes threads and blocks from last to first
// (PERSIMMON_CUDA_EMULATOR_BACKWARD). What it cannot show: speed, and what nvcc makes of the code.
//
// It has 4 multiprocessors, or as many as PERSIMMON_CUDA_EMULATOR_MULTIPROCESSORS says: kernels share out
// their work by that.
//
// It fails as a GPU does where a kernel has an illegal address: after PERSIMMON_CUDA_EMULATOR_FAULT kernels
// every call returns that error.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>

#define PERSIMMON_CUDA_EMULATED 1

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __restrict__ __restrict
#define __constant__ static const

// --- Vectors ---
struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(4) ushort2 {
  unsigned short x, y;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// --- Inside a kernel ---
namespace cuda_emulator {

void blockBarrier();
// Lanes of the mask exchange `bytes` (at most 64) each; afterwards `all + 64 * lane` has what a lane gave.
const uint8_t* exchange(unsigned mask, const void* value, size_t bytes);
int lane();
uint8_t* dynamicShared();

template <class T>
T fromLane(unsigned mask, T value, int source) {
  static_assert(sizeof(T) <= 64);
  const uint8_t* all = exchange(mask, &value, sizeof(T));
  T result;
  std::memcpy(&result, all + 64 * (source & 31), sizeof(T));
  return result;
}

}  // namespace cuda_emulator

// Of the thread whose turn it is.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
// One block runs at a time, so its shared variables may be static.
#define __shared__ static

inline void __syncthreads() { cuda_emulator::blockBarrier(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { cuda_emulator::fromLane(mask, 0, 0); }
inline void __threadfence() {}
inline void __threadfence_block() {}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const int lane = cuda_emulator::lane();
  return cuda_emulator::fromLane(mask, value, (lane & ~(width - 1)) + (source & (width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  const int lane = cuda_emulator::lane(), source = lane ^ lanes;
  return cuda_emulator::fromLane(mask, value,
                                 (source & ~(width - 1)) == (lane & ~(width - 1)) ? source : lane);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = cuda_emulator::lane(), source = lane + static_cast<int>(delta);
  return cuda_emulator::fromLane(mask, value, source / width == lane / width ? source : lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = cuda_emulator::lane(), source = lane - static_cast<int>(delta);
  return cuda_emulator::fromLane(mask, value, source >= lane / width * width ? source : lane);
}
unsigned __ballot_sync(unsigned mask, int predicate);
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }
int __syncthreads_or(int predicate);
int __syncthreads_count(int predicate);

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
template <class T>
T __ldg(const T* x) {
  return *x;
}
template <class T>
T __ldcs(const T* x) {
  return *x;
}
template <class T>
T __ldcg(const T* x) {
  return *x;
}
inline float __expf(float x) { return std::exp(x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fdividef(float x, float y) { return x / y; }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
// Byte i of the result is byte (selector >> 4 i & 7) of y:x; x has the lower four.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const uint64_t both = static_cast<uint64_t>(y) << 32 | x;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i)
    result |= static_cast<unsigned>(both >> 8 * (selector >> 4 * i & 7) & 255) << 8 * i;
  return result;
}
inline int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; ++i) c += static_cast<int8_t>(a >> (8 * i)) * static_cast<int8_t>(b >> (8 * i));
  return c;
}
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
  for (int i = 0; i < 4; ++i) c += (a >> (8 * i) & 255u) * (b >> (8 * i) & 255u);
  return c;
}
template <class T>
T atomicAdd(T* target, T value) {
  const T old = *target;
  *target = old + value;
  return old;
}
template <class T>
T atomicMax(T* target, T value) {
  const T old = *target;
  if (value > old) *target = value;
  return old;
}
template <class T>
T atomicExch(T* target, T value) {
  const T old = *target;
  *target = value;
  return old;
}
void cudaGridDependencySynchronize();
inline void cudaTriggerProgrammaticLaunchCompletion() {}

// --- The runtime ---
#define CUDART_VERSION 13000

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorNoDevice = 100,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorNotReady = 600,
  cudaErrorECCUncorrectable = 214,
  cudaErrorNvlinkUncorrectable = 220,
  cudaErrorInsufficientDriver = 35,
  cudaErrorDevicesUnavailable = 46,
  cudaErrorContained = 226,
  cudaErrorTensorMemoryLeak = 721,
  cudaErrorSystemNotReady = 802,
  cudaErrorMpsClientTerminated = 810,
  cudaErrorExternalDevice = 911,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchTimeout = 702,
  cudaErrorAssert = 710,
  cudaErrorHardwareStackError = 714,
  cudaErrorIllegalInstruction = 715,
  cudaErrorMisalignedAddress = 716,
  cudaErrorInvalidAddressSpace = 717,
  cudaErrorInvalidPc = 718,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorGraphExecUpdateFailure = 910,
};
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();

struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
  size_t totalGlobalMem, sharedMemPerBlockOptin;
};
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);

cudaError_t cudaMalloc(void** data, size_t bytes);
cudaError_t cudaFree(void* data);
cudaError_t cudaMallocHost(void** data, size_t bytes);
cudaError_t cudaFreeHost(void* data);

namespace cuda_emulator {
struct Stream;
struct Event;
struct Graph;
struct Executable;
}  // namespace cuda_emulator
using cudaStream_t = cuda_emulator::Stream*;
using cudaEvent_t = cuda_emulator::Event*;
using cudaGraph_t = cuda_emulator::Graph*;
using cudaGraphExec_t = cuda_emulator::Executable*;

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
constexpr unsigned cudaStreamNonBlocking = 1;
constexpr unsigned cudaEventDisableTiming = 2;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* target, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
// Always a second: nothing here has a speed.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to);

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void* nodes, size_t* count);
cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags);
struct cudaGraphExecUpdateResultInfo {
  int result;
};
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t executable, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* info);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization = 6 };
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    int programmaticStreamSerializationAllowed;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};
struct cudaFuncAttributes {
  int ptxVersion;
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

namespace cuda_emulator {

// On the thread's GPU only.
cudaError_t allowShared(const void* kernel, size_t bytes);

// Of kernels that were compiled for PERSIMMON_CUDA_EMULATOR_PTX, or the GPU's own architecture.
cudaError_t attributesOf(cudaFuncAttributes* attributes);

// How many kernels so far might have begun while the one before them ran.
int64_t overlappingKernels();
/** Updates of a graph that was arranged in another way. */
int64_t refusedUpdates();

// `kernel`: its address, so that an update of a graph can tell kernels apart.
cudaError_t enqueueKernel(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body);

}  // namespace cuda_emulator

template <class Function>
cudaError_t cudaFuncSetAttribute(Function kernel, cudaFuncAttribute, int bytes) {
  return cuda_emulator::allowShared(reinterpret_cast<const void*>(kernel), static_cast<size_t>(bytes));
}

template <class Function>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Function) {
  return cuda_emulator::attributesOf(attributes);
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  return cuda_emulator::enqueueKernel(
      *config, reinterpret_cast<const void*>(kernel),
      [kernel, held = std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)] {
        std::apply(kernel, held);
      });
}
