// How int8 and int4 weights lie in memory. A weight of a matrix [outFeatures, inFeatures] is a whole number
// times a scale.
//
// int8: from -127 to 127, a float32 scale for each output.
//   rows     [output][input], as checkpoints have them
//   tiles    for linear: [16 outputs][32 inputs][word 0-3][2 halves][output][4 bytes], each number plus 128.
//   The halves of a
//            word are its inputs 0, 2, 4, 6 and 1, 3, 5, 7. Filled up with zeros to whole tiles.
//   inputs   for linearByInput: [input][output]
//
// int4: from -8 to 7, a bfloat16 scale for each group of 32 inputs of one output: 4.5 bits a weight.
// inFeatures is a multiple of 32. Numbers are stored plus 8, two in a byte.
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

enum class WeightOrder : int32_t { kRows = 0, kTiles = 1, kInputs = 2 };

constexpr int64_t kWeightTile = 16;
constexpr int64_t kGroupInputs = 32;
constexpr int64_t kGroupWords = 4;  // of eight inputs

constexpr int kInt8Zero = 128;
constexpr int kInt4Zero = 8;
constexpr int64_t kInt4Unit = 64;  // outputs that lie together by input

}  // namespace persimmon::cpu
