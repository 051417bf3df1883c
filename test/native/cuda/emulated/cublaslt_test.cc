// The host's side of products by cuBLASLt, on a recording fake in place of the library: it checks what it is
// given, and multiplies on the CPU when the emulated GPU has come so far. The library itself is not here.
#include "cuda/cublaslt.h"

#include <cuda_runtime.h>

#include <algorithm>

#include "cuda/ops/linear_cublaslt.cuh"
#include "cuda/runtime.cuh"
#include "on_gpu.h"

using namespace check;
namespace cuda = persimmon::cuda;

namespace {

struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t leading;
};

struct Product {
  int computeType, scaleType;
  bool transposeA = false;
};

struct Recorded {
  int open = 0;  // handles, descriptors, layouts and preferences that were not given back
  int heuristics = 0, products = 0;
  uint64_t workspaceLimit = 0;
  std::vector<uint32_t> alignments;
  std::vector<const void*> workspaces;
  int heuristicStatus = 0, found = 1, multiplyStatus = 0;
  size_t workspaceNeeded = 1024;
};
Recorded recorded;

float wide(const uint16_t* x, int64_t i) { return std::bit_cast<float>(static_cast<uint32_t>(x[i]) << 16); }

void multiplyKernel(const uint16_t* a, Layout aLayout, bool transposeA, const uint16_t* b, Layout bLayout,
                    float* out, Layout outLayout) {
  const auto inputs = static_cast<int64_t>(bLayout.rows);
  for (int64_t column = 0; column < static_cast<int64_t>(outLayout.columns); ++column) {
    for (int64_t row = 0; row < static_cast<int64_t>(outLayout.rows); ++row) {
      float sum = 0;
      for (int64_t k = 0; k < inputs; ++k) {
        const int64_t at = transposeA ? row * aLayout.leading + k : k * aLayout.leading + row;
        sum += wide(a, at) * wide(b, column * bLayout.leading + k);
      }
      out[column * outLayout.leading + row] += sum;
    }
  }
}

const cuda::CublasLtFunctions fake = {
    .create =
        [](void** handle) {
          *handle = &recorded;
          return ++recorded.open, 0;
        },
    .destroy = [](void*) { return --recorded.open, 0; },
    .productCreate =
        [](void** product, int computeType, int scaleType) {
          *product = new Product{computeType, scaleType};
          return ++recorded.open, 0;
        },
    .productDestroy =
        [](void* product) {
          delete static_cast<Product*>(product);
          return --recorded.open, 0;
        },
    .productSet =
        [](void* product, int attribute, const void* value, size_t bytes) {
          CHECK(attribute == 3 && bytes == 4 && *static_cast<const int*>(value) == 1);
          static_cast<Product*>(product)->transposeA = true;
          return 0;
        },
    .layoutCreate =
        [](void** layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
          *layout = new Layout{type, rows, columns, leading};
          return ++recorded.open, 0;
        },
    .layoutDestroy =
        [](void* layout) {
          delete static_cast<Layout*>(layout);
          return --recorded.open, 0;
        },
    .preferenceCreate =
        [](void** preference) {
          *preference = &recorded;
          return ++recorded.open, 0;
        },
    .preferenceDestroy = [](void*) { return --recorded.open, 0; },
    .preferenceSet =
        [](void*, int attribute, const void* value, size_t bytes) {
          CHECK(bytes == (attribute == 1 ? 8 : 4));
          if (attribute == 1) recorded.workspaceLimit = *static_cast<const uint64_t*>(value);
          if (attribute >= 5 && attribute <= 8)
            recorded.alignments.push_back(*static_cast<const uint32_t*>(value));
          return 0;
        },
    .heuristic =
        [](void*, void* product, void* a, void* b, void* c, void* d, void*, int wanted,
           cuda::CublasLtFunctions::HeuristicResult* result, int* found) {
          ++recorded.heuristics;
          const auto& p = *static_cast<Product*>(product);
          const auto &w = *static_cast<Layout*>(a), &x = *static_cast<Layout*>(b),
                     &out = *static_cast<Layout*>(d);
          CHECK(wanted == 1 && c == d && p.computeType == 68 && p.scaleType == 0);
          CHECK(w.type == 14 && x.type == 14 && out.type == 0);
          // What the library would refuse: sizes that do not meet.
          CHECK((p.transposeA ? w.rows : w.columns) == x.rows &&
                (p.transposeA ? w.columns : w.rows) == out.rows && x.columns == out.columns);
          for (const Layout& each : {w, x, out}) CHECK(each.leading == static_cast<int64_t>(each.rows));
          result->algorithm.data[0] = 77;
          result->workspaceBytes = recorded.workspaceNeeded;
          *found = recorded.found;
          return recorded.heuristicStatus;
        },
    .multiply =
        [](void*, void* product, const void* alpha, const void* a, void* aLayout, const void* b,
           void* bLayout, const void* beta, const void* c, void*, void* d, void* dLayout,
           const cuda::CublasLtFunctions::Algorithm* algorithm, void* workspace, size_t workspaceBytes,
           void* stream) {
          ++recorded.products;
          CHECK(*static_cast<const float*>(alpha) == 1 && *static_cast<const float*>(beta) == 1 && c == d);
          CHECK(algorithm->data[0] == 77 && workspaceBytes == cuda::CublasLt::kWorkspaceBytes);
          for (const void* pointer : {a, b, static_cast<const void*>(d), static_cast<const void*>(workspace)})
            CHECK(reinterpret_cast<uintptr_t>(pointer) % 16 == 0);
          recorded.workspaces.push_back(workspace);
          if (recorded.multiplyStatus != 0) return recorded.multiplyStatus;
          cudaLaunchConfig_t config{};
          config.gridDim = config.blockDim = dim3(1);
          config.stream = static_cast<cudaStream_t>(stream);
          cudaLaunchKernelEx(&config, multiplyKernel, static_cast<const uint16_t*>(a),
                             *static_cast<Layout*>(aLayout), static_cast<Product*>(product)->transposeA,
                             static_cast<const uint16_t*>(b), *static_cast<Layout*>(bLayout),
                             static_cast<float*>(d), *static_cast<Layout*>(dLayout));
          return 0;
        },
};

/** A product on the fake, or nothing where it was left to another kernel. */
std::vector<float> product(cuda::CublasLt& library, const std::vector<float>& x, Weight weight, Weight bias,
                           int64_t rows, int64_t inputs, int64_t outputs, bool byInput) {
  const OnGpu<float> there(x), out(static_cast<size_t>(rows * outputs));
  const bool done = cuda::linearByCublasLt(
      {gpu(), out.data(), there.data(), weight, bias, rows, inputs, outputs}, &library, byInput);
  const std::vector<float> result = out.read();
  return done ? result : std::vector<float>();
}

}  // namespace

TEST(cublasLtProductsAreThoseOfFloat32Activations) {
  Random random(90);
  recorded = {};
  {
    cuda::CublasLt library(fake);
    const int64_t sizes[][3] = {{17, 32, 8}, {40, 64, 24}, {17, 32, 8}, {18, 32, 8}};
    for (const auto& [rows, inputs, outputs] : sizes) {
      for (const bool byInput : {false, true}) {
        for (const bool withBias : {false, true}) {
          const auto count = static_cast<size_t>(inputs * outputs);
          const WeightOnGpu weight(random, count, DType::kBFloat16, 0.2f),
              bias(random, static_cast<size_t>(outputs), DType::kFloat32);
          const std::vector<float> x = random.normals(static_cast<size_t>(rows * inputs));
          const std::vector<float> found = product(
              library, x, weight.weight(), withBias ? bias.weight() : Weight{nullptr, DType::kFloat32}, rows,
              inputs, outputs, byInput);
          std::vector<float> expected(static_cast<size_t>(rows * outputs));
          for (int64_t row = 0; row < rows; ++row) {
            for (int64_t o = 0; o < outputs; ++o) {
              double sum = withBias ? bias.values()[static_cast<size_t>(o)] : 0;
              for (int64_t k = 0; k < inputs; ++k)
                sum += static_cast<double>(x[static_cast<size_t>(row * inputs + k)]) *
                       weight.values()[static_cast<size_t>(byInput ? k * outputs + o : o * inputs + k)];
              expected[static_cast<size_t>(row * outputs + o)] = static_cast<float>(sum);
            }
          }
          // Activations rounded to bfloat16 would be off by 1e-3.
          CHECK(distance(found, expected) < 2e-6);
        }
      }
    }
    CHECK(recorded.heuristics == 6);  // three shapes, in two orders
    CHECK(recorded.products == 4 * 4 * 3);
    CHECK(recorded.workspaceLimit == cuda::CublasLt::kWorkspaceBytes);
    CHECK(recorded.alignments.size() == 24 &&
          std::all_of(recorded.alignments.begin(), recorded.alignments.end(),
                      [](uint32_t a) { return a == 16; }));
  }
  CHECK(recorded.open == 0);
}

TEST(cublasLtIsCapturedWithoutBeingAsked) {
  Random random(91);
  recorded = {};
  cuda::CublasLt library(fake);
  const WeightOnGpu weight(random, 32 * 8, DType::kBFloat16);
  const OnGpu<float> x(random.normals(20 * 32)), out(20 * 8);
  const auto run = [&] {
    CHECK(cuda::linearByCublasLt(
        {gpu(), out.data(), x.data(), weight.weight(), {nullptr, DType::kFloat32}, 20, 32, 8}, &library,
        false));
  };
  run();
  const std::vector<float> expected = out.read();
  gpu().fill(out.data(), 0xFF, 20 * 8 * sizeof(float));
  gpu().beginCapture();
  run();
  const auto graph = gpu().endCapture();
  CHECK(graph->nodes() == 5);
  for (int i = 0; i < 2; ++i) {
    gpu().launch(*graph);
    CHECK(out.read() == expected);
  }
  CHECK(recorded.heuristics == 1);
  const auto isSame = [](const void* each) { return each == recorded.workspaces.front(); };
  CHECK(std::all_of(recorded.workspaces.begin(), recorded.workspaces.end(), isSame));
}

TEST(cublasLtLeavesToOthersWhatItCannot) {
  Random random(92);
  recorded = {};
  cuda::CublasLt library(fake);
  const std::vector<float> x = random.normals(20 * 40);
  const WeightOnGpu bfloat16(random, 40 * 40, DType::kBFloat16), float32(random, 40 * 40, DType::kFloat32);
  const Weight none = {nullptr, DType::kFloat32};
  CHECK(product(library, x, float32.weight(), none, 20, 40, 40, false).empty());
  CHECK(product(library, x, bfloat16.weight(), none, 20, 36, 40, false).empty());
  CHECK(product(library, x, bfloat16.weight(), none, 20, 40, 36, false).empty());
  const Weight shifted = {static_cast<const uint16_t*>(bfloat16.weight().data) + 1, DType::kBFloat16};
  CHECK(product(library, x, shifted, none, 20, 32, 40, false).empty());
  CHECK(recorded.heuristics == 0);
  // Whatever keeps the library from an algorithm: asked once, and then known.
  const auto isLeft = [&](int64_t rows) {
    return product(library, x, bfloat16.weight(), none, rows, 40, 40, false).empty();
  };
  recorded.found = 0;
  CHECK(isLeft(20) && isLeft(20));
  recorded.found = 1;
  recorded.heuristicStatus = 15;
  CHECK(isLeft(19));
  recorded.heuristicStatus = 0;
  recorded.workspaceNeeded = cuda::CublasLt::kWorkspaceBytes + 1;
  CHECK(isLeft(18));
  CHECK(recorded.heuristics == 3 && recorded.products == 0);
}

TEST(cublasLtTakesTheProductsOfManyRowsInBothOrders) {
  Random random(94);
  recorded = {};
  const int64_t rows = 20, inputs = 32, outputs = 24;
  const WeightOnGpu weight(random, static_cast<size_t>(inputs * outputs), DType::kBFloat16);
  const std::vector<float> x = random.normals(static_cast<size_t>(rows * inputs));
  const OnGpu<float> there(x), out(static_cast<size_t>(rows * outputs));
  cuda::CublasLt library(fake);
  const auto run = [&](auto op) {
    op(gpu(), out.data(), there.data(), weight.weight(), Weight{nullptr, DType::kFloat32}, rows, inputs,
       outputs);
    return out.read();
  };
  for (auto* op : {&cuda::linear, &cuda::linearByInput}) {
    const std::vector<float> ours = run(op);
    cuda::CublasLt* before = cuda::setCublasLt(gpu(), &library);
    const int made = recorded.products;
    const std::vector<float> theirs = run(op);
    cuda::setCublasLt(gpu(), before);
    CHECK(recorded.products == made + 3);
    CHECK(distance(theirs, std::vector<double>(ours.begin(), ours.end())) < 1e-5);
  }
}

TEST(cublasLtFailuresAreErrors) {
  Random random(93);
  recorded = {};
  recorded.multiplyStatus = 13;
  cuda::CublasLt library(fake);
  const WeightOnGpu weight(random, 32 * 8, DType::kBFloat16);
  std::string message;
  try {
    product(library, random.normals(20 * 32), weight.weight(), {nullptr, DType::kFloat32}, 20, 32, 8, false);
  } catch (const cuda::Error& error) {
    message = error.what();
  }
  CHECK(message == "cuBLASLt: a product failed with status 13");
}
