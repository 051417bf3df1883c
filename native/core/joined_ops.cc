#include "joined_ops.h"

namespace persimmon {

namespace {

using cpu::DType;
using cpu::Weight;
using cpu::WeightOrder;

// Bytes that an op reads or writes.
struct Range {
  const void* data;
  int64_t bytes;

  bool overlaps(const Range& other) const {
    const auto begin = reinterpret_cast<uintptr_t>(data),
               otherBegin = reinterpret_cast<uintptr_t>(other.data);
    return begin < otherBegin + static_cast<uintptr_t>(other.bytes) &&
           otherBegin < begin + static_cast<uintptr_t>(bytes);
  }
  bool overlapsAny(const std::vector<Range>& others) const {
    for (const Range& other : others) {
      if (overlaps(other)) return true;
    }
    return false;
  }
};

bool isAligned(const void* data, uintptr_t bytes) { return reinterpret_cast<uintptr_t>(data) % bytes == 0; }

Range floats(const float* data, int64_t count) { return {data, count * int64_t{sizeof(float)}}; }

// A float32 or bfloat16 weight, or none.
Range plain(const Weight& weight, int64_t count) {
  if (weight.data == nullptr) return {nullptr, 0};
  return {weight.data, count * (weight.dtype == DType::kBFloat16 ? 2 : 4)};
}

// The matrix of a product, and its scales.
void addMatrix(std::vector<Range>& ranges, const LinearRecord& op) {
  const int64_t out = op.outFeatures, in = op.inFeatures;
  if (op.weight.dtype == DType::kInt4) {
    ranges.push_back({op.weight.data, cpu::int4Bytes(op.order, out, in)});
    ranges.push_back({op.weight.scales, cpu::int4Scales(op.order, out, in) * 2});
  } else if (op.weight.dtype == DType::kInt8) {
    const bool tiles = op.order == WeightOrder::kTiles;
    ranges.push_back({op.weight.data, tiles ? cpu::int8TileBytes(out, in) : out * in});
    ranges.push_back({op.weight.scales, out * 4});
  } else {
    ranges.push_back(plain(op.weight, out * in));
  }
}

// What a group reads from memory, but for what one op of it hands to the next.
std::vector<Range> readBy(const JoinedOps& joined) {
  const LinearRecord& linear = joined.linear;
  std::vector<Range> ranges = {plain(linear.bias, linear.outFeatures)};
  addMatrix(ranges, linear);
  if (joined.norm) {
    const LayerNormRecord& norm = *joined.norm;
    ranges.push_back(floats(norm.x, norm.rows * norm.width));
    ranges.push_back(plain(norm.weight, norm.width));
    ranges.push_back(plain(norm.bias, norm.width));
  } else {
    ranges.push_back(floats(linear.x, linear.rows * linear.inFeatures));
  }
  return ranges;
}

bool canBeJoined(const LinearRecord& linear) {
  return linear.rows >= 1 && linear.rows <= kMostJoinedRows && linear.inFeatures > 0 &&
         linear.outFeatures > 0;
}

// Shapes and addresses of the fast kernels, which have versions that normalise: all is read 16 bytes at a
// time.
bool canNormalize(const LayerNormRecord& norm, const LinearRecord& linear) {
  const bool tiles = linear.weight.dtype == DType::kInt8 || linear.weight.dtype == DType::kInt4;
  return linear.order != WeightOrder::kInputs && linear.weight.dtype != DType::kFloat32 &&
         linear.inFeatures % (tiles ? cpu::kGroupInputs : 8) == 0 && isAligned(linear.weight.data, 16) &&
         (!tiles || isAligned(linear.weight.scales, 8)) && isAligned(norm.x, 16) && isAligned(norm.out, 16) &&
         norm.weight.data != nullptr && norm.bias.data != nullptr && norm.weight.dtype == norm.bias.dtype &&
         isAligned(norm.weight.data, 16) && isAligned(norm.bias.data, 16) &&
         norm.rows <= kMostNormalizedRows &&
         norm.rows * norm.width * int64_t{sizeof(float)} <= kMostNormalizedBytes;
}

// Puts the layerNorm that is the next op before its product.
bool joinNorm(JoinedOps* joined, const LayerNormRecord& norm) {
  const LinearRecord& linear = joined->linear;
  if (norm.out != linear.x || norm.rows != linear.rows || norm.width != linear.inFeatures ||
      !canNormalize(norm, linear))
    return false;
  joined->norm = norm;
  // All blocks read what is normalised until the last of them has ended.
  const Range normed = floats(norm.out, norm.rows * norm.width);
  const Range out = floats(linear.out, linear.rows * linear.outFeatures);
  const std::vector<Range> read = readBy(*joined);
  if (!normed.overlaps(out) && !normed.overlapsAny(read) && !out.overlapsAny(read)) return true;
  joined->norm.reset();
  return false;
}

// Puts the next op behind the product, if it is one that can be there and takes the product's result.
bool joinAfter(JoinedOps* joined, const OpRecord& next) {
  const LinearRecord& linear = joined->linear;
  const int64_t count = linear.rows * linear.outFeatures;
  const Range product = floats(linear.out, count);
  std::vector<Range> read = readBy(*joined), written = {};
  if (joined->norm) written.push_back(floats(linear.x, linear.rows * linear.inFeatures));
  if (product.overlapsAny(read)) return false;
  // Of `out` and what it is made of, a thread handles the same elements: the memory may be the same, too, but
  // not shifted.
  const auto fits = [&](const float* out, int64_t size) {
    const Range result = floats(out, count);
    return size == count && !result.overlapsAny(read) && !result.overlapsAny(written) &&
           (out == linear.out || !result.overlaps(product));
  };
  if (const auto* square = std::get_if<ReluSquaredRecord>(&next)) {
    if (square->x != linear.out || !fits(square->out, square->count)) return false;
    joined->after = JoinedOps::ReluSquared{square->out};
    return true;
  }
  if (const auto* add = std::get_if<AddRecord>(&next)) {
    if ((add->a == linear.out) == (add->b == linear.out) || !fits(add->out, add->count)) return false;
    const float* addend = add->a == linear.out ? add->b : add->a;
    const Range other = floats(addend, count);
    if (other.overlaps(product) || other.overlapsAny(written)) return false;
    if (addend != add->out && other.overlaps(floats(add->out, count))) return false;
    joined->after = JoinedOps::Sum{add->out, addend};
    return true;
  }
  return false;
}

}  // namespace

std::vector<JoinedOps> findJoinedOps(const std::vector<OpRecord>& records) {
  std::vector<JoinedOps> found;
  const auto linearAt = [&](size_t i) {
    const auto* linear = i < records.size() ? std::get_if<LinearRecord>(&records[i]) : nullptr;
    return linear != nullptr && canBeJoined(*linear) ? linear : nullptr;
  };
  for (size_t i = 0; i < records.size();) {
    const auto* norm = std::get_if<LayerNormRecord>(&records[i]);
    const LinearRecord* linear = linearAt(norm == nullptr ? i : i + 1);
    if (linear == nullptr) {
      ++i;
      continue;
    }
    JoinedOps joined{i, 1, std::nullopt, *linear, {}};
    if (norm != nullptr) {
      if (!joinNorm(&joined, *norm)) {
        ++i;
        continue;
      }
      ++joined.count;
    }
    const size_t next = i + joined.count;
    if (next < records.size() && joinAfter(&joined, records[next])) ++joined.count;
    if (joined.count > 1) found.push_back(joined);
    i += joined.count;
  }
  return found;
}

}  // namespace persimmon
