#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

TEST(attentionIsThatOfTheCpu) {
  struct Case {
    int64_t tokens, keys;
    int32_t heads, headDim;
    bool causal;
  };
  Random random(85);
  for (const Case& c : {Case{1, 1, 2, 64, true},
                        {5, 5, 3, 20, true},
                        {4, 9, 2, 64, false},
                        {70, 70, 2, 64, true},
                        {17, 40, 1, 64, false},
                        {1, 300, 1, 64, false}}) {
    const auto count = static_cast<size_t>(c.tokens * c.heads * c.headDim),
               cached = static_cast<size_t>(c.keys * c.heads * c.headDim);
    const std::vector<float> q = random.normals(count), k = random.normals(cached),
                             v = random.normals(cached);
    std::vector<float> z(count);
    cpu::attention(cpuPool(), z.data(), q.data(), k.data(), v.data(), c.tokens, c.keys, c.heads, c.headDim,
                   0.3f, c.causal);
    const OnGpu<float> onQ(q), onK(k), onV(v), onZ(count);
    cuda::attention(gpu(), onZ.data(), onQ.data(), onK.data(), onV.data(), c.tokens, c.keys, c.heads,
                    c.headDim, 0.3f, c.causal);
    CHECK_MESSAGE(distance(onZ.read(), z) < 1e-5, std::to_string(c.tokens) + " tokens");
  }
}
