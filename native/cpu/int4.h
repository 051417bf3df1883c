// How int4 weights lie in memory. A weight of a matrix [outFeatures, inFeatures], inFeatures a multiple of
// 32, is a whole number from -8 to 7 times the scale of its group: 32 inputs of one output. Numbers are
// stored plus 8, two in a byte; scales are bfloat16. 4.5 bits a weight.
//
//   rows     as checkpoints have them: [output][group][16 bytes]; the eight numbers of a little-endian word
//   are
//            inputs in order, the first in its lowest bits. Scales [output][group].
//   tiles    for linear: [16 outputs][group][word 0-3][output]: the words of 16 outputs side by side. Scales
//            [16 outputs][group][output]. Outputs past the end are zeros.
//   inputs   for linearByInput: [group][input][64 outputs][32 bytes]; byte b has output b in its low and
//   output b + 32
//            in its high half. Scales [group][output]. Outputs past the end, up to a multiple of 64, are
//            zeros.
#pragma once

#include <cstdint>

namespace persimmon::cpu {

constexpr int64_t kInt4Group = 32;
constexpr int64_t kInt4Words = 4;  // of a group
constexpr int64_t kInt4Tile = 16;
constexpr int64_t kInt4Unit = 64;  // outputs that lie together by input
constexpr int kInt4Zero = 8;

enum class Int4Order : int32_t { kRows = 0, kTiles = 1, kInputs = 2 };

}  // namespace persimmon::cpu
