// A random attention problem for the CPU and the GPU: ragged sequences over shuffled pages. Whatever no token
// has written holds NaN.
#pragma once

#include "on_gpu.h"

namespace check {

struct AttentionProblemOptions {
  int32_t heads = 2, headDim = 64, rotaryDims = 32, pageTokens = 16;
  bool norm = true;
  DType normDtype = DType::kFloat32, cacheDtype = DType::kFloat32;
  /** Tokens already in the cache and tokens to come, for each sequence. */
  std::vector<std::pair<int32_t, int32_t>> sequences = {{0, 5}};
  /** Pages of the table beyond those in use. They stand for no page. */
  int32_t freePages = 1;
};

/** Keys and values of one layer on the host. */
struct HostCache {
  std::vector<uint8_t> keys, values;
  std::vector<float> keyScales, valueScales;
};

/** The same on the GPU. */
struct GpuCache {
  explicit GpuCache(const HostCache& host)
      : keys(host.keys), values(host.values), keyScales(host.keyScales), valueScales(host.valueScales) {}
  HostCache read() const { return {keys.read(), values.read(), keyScales.read(), valueScales.read()}; }
  OnGpu<uint8_t> keys, values;
  OnGpu<float> keyScales, valueScales;
};

class AttentionProblem {
 public:
  AttentionProblem(const AttentionProblemOptions& options, uint64_t seed);

  const AttentionProblemOptions options;
  Random random;
  std::vector<int32_t> positions, sequences, pageTable;
  int32_t pagesPerSequence = 0;
  persimmon::cpu::AttentionShape shape{};
  persimmon::cuda::AttentionLimits limits{};
  /** Numbers of q, of k, or of v. */
  size_t elements = 0;
  std::vector<float> qkv, cos, sin;
  HostCache past;

  persimmon::cpu::CacheView view(HostCache& cache) const;
  /** `table`: pageTable on the GPU. */
  persimmon::cpu::CacheView view(const GpuCache& cache, const OnGpu<int32_t>& table) const;
  /** Rows of keys or values as float32, with their scales; scales may be empty. */
  std::vector<float> widened(const std::vector<uint8_t>& rows, const std::vector<float>& scales) const;
  std::string describe() const;
};

}  // namespace check
