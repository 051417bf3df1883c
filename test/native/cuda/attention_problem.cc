#include "attention_problem.h"

#include <algorithm>

namespace check {

namespace cpu = persimmon::cpu;

AttentionProblem::AttentionProblem(const AttentionProblemOptions& given, uint64_t seed)
    : options(given), random(seed) {
  int32_t longest = 1;
  std::vector<int32_t> pastPositions, pastSequences;
  for (size_t s = 0; s < options.sequences.size(); ++s) {
    const auto [before, fresh] = options.sequences[s];
    for (int32_t i = 0; i < before + fresh; ++i) {
      (i < before ? pastPositions : positions).push_back(i);
      (i < before ? pastSequences : sequences).push_back(static_cast<int32_t>(s));
    }
    longest = std::max(longest, before + fresh);
  }
  const int32_t used = (longest + options.pageTokens - 1) / options.pageTokens;
  pagesPerSequence = used + options.freePages;
  const auto sequenceCount = static_cast<int32_t>(options.sequences.size());
  limits = {sequenceCount, int64_t{sequenceCount} * used, longest};
  std::vector<int32_t> pages(static_cast<size_t>(limits.pageCount));
  for (size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<int32_t>(i);
  for (size_t i = pages.size(); i > 1; --i)
    std::swap(pages[i - 1], pages[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  for (int32_t s = 0; s < sequenceCount; ++s) {
    for (int32_t page = 0; page < pagesPerSequence; ++page)
      pageTable.push_back(page < used ? pages[static_cast<size_t>(s * used + page)] : -1);
  }

  shape = {static_cast<int64_t>(positions.size()), options.heads, options.headDim, options.rotaryDims};
  const auto width = static_cast<size_t>(options.heads * options.headDim);
  elements = positions.size() * width;
  qkv = random.normals(3 * elements);
  const int32_t half = options.rotaryDims / 2;
  for (int32_t position = 0; position < longest; ++position) {
    for (int32_t j = 0; j < half; ++j) {
      const double angle = position * std::pow(25000.0, -static_cast<double>(j) / half);
      cos.push_back(static_cast<float>(std::cos(angle)));
      sin.push_back(static_cast<float>(std::sin(angle)));
    }
  }

  const size_t rows = static_cast<size_t>(limits.pageCount * options.heads * options.pageTokens);
  const size_t size = options.cacheDtype == DType::kFloat32    ? 4
                      : options.cacheDtype == DType::kBFloat16 ? 2
                                                               : 1;
  past.keys.assign(rows * static_cast<size_t>(options.headDim) * size, 0xFF);
  past.values = past.keys;
  past.keyScales.assign(rows, NAN);
  past.valueScales = past.keyScales;
  const std::vector<float> k = random.normals(pastPositions.size() * width),
                           v = random.normals(pastPositions.size() * width);
  cpu::AttentionShape before = shape;
  before.tokens = static_cast<int64_t>(pastPositions.size());
  cpu::cacheAppend(cpuPool(), k.data(), v.data(), before, pastPositions.data(), pastSequences.data(),
                   view(past));
}

cpu::CacheView AttentionProblem::view(HostCache& cache) const {
  return {cache.keys.data(),  cache.values.data(), pageTable.data(),       pagesPerSequence,
          options.pageTokens, options.cacheDtype,  cache.keyScales.data(), cache.valueScales.data()};
}

cpu::CacheView AttentionProblem::view(const GpuCache& cache, const OnGpu<int32_t>& table) const {
  return {cache.keys.data(),  cache.values.data(), table.data(),           pagesPerSequence,
          options.pageTokens, options.cacheDtype,  cache.keyScales.data(), cache.valueScales.data()};
}

std::vector<float> AttentionProblem::widened(const std::vector<uint8_t>& rows,
                                             const std::vector<float>& scales) const {
  const size_t count = past.keyScales.size() * static_cast<size_t>(options.headDim);
  std::vector<float> out(count);
  for (size_t i = 0; i < count; ++i) {
    if (options.cacheDtype == DType::kInt8) {
      out[i] = static_cast<int8_t>(rows[i]) * scales[i / static_cast<size_t>(options.headDim)];
    } else if (options.cacheDtype == DType::kBFloat16) {
      uint16_t bits;
      std::memcpy(&bits, &rows[2 * i], sizeof bits);
      out[i] = bfloat16ToFloat(bits);
    } else {
      std::memcpy(&out[i], &rows[4 * i], sizeof(float));
    }
  }
  return out;
}

std::string AttentionProblem::describe() const {
  return std::to_string(shape.tokens) + " tokens, heads " + std::to_string(options.heads) + ", dim " +
         std::to_string(options.headDim) + ", rotary " + std::to_string(options.rotaryDims) + ", page " +
         std::to_string(options.pageTokens) + ", cache type " +
         std::to_string(static_cast<int>(options.cacheDtype));
}

}  // namespace check
