// The host's side of products by cuBLASLt, with the emulated library in place of NVIDIA's.
#include "cuda/cublaslt.h"

#include <dlfcn.h>

#include <algorithm>

#include "cublaslt/recorded.h"
#include "cuda/ops/linear_cublaslt.cuh"
#include "cuda/runtime.cuh"
#include "matrix_case.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

const cuda::CublasLtFunctions& emulated() {
  std::string why;
  const cuda::CublasLtFunctions* functions = cuda::CublasLtFunctions::load(FAKE_CUBLASLT, why);
  if (functions == nullptr) fail(__FILE__, __LINE__, why.c_str());
  return *functions;
}

RecordedCublasLt& recordedByLibrary() {
  static const auto function = reinterpret_cast<RecordedCublasLtFunction>(
      dlsym(dlopen(FAKE_CUBLASLT, RTLD_NOW | RTLD_LOCAL), "recordedCublasLt"));
  return function();
}
RecordedCublasLt& recorded = recordedByLibrary();

/** A product by the library, or nothing where it was left to another kernel. */
std::vector<float> product(cuda::CublasLt& library, const std::vector<float>& x, Weight weight, Weight bias,
                           int64_t rows, int64_t inputs, int64_t outputs, bool byInput) {
  const OnGpu<float> there(x), out(static_cast<size_t>(rows * outputs));
  const bool done = cuda::linearByCublasLt(
      {gpu(), out.data(), there.data(), weight, bias, rows, inputs, outputs}, &library, byInput);
  const std::vector<float> result = out.read();
  return done ? result : std::vector<float>();
}

/** x . weight + bias in double precision; values are those of MatrixOnGpu. */
std::vector<double> exactProduct(const std::vector<float>& x, const std::vector<float>& values,
                                 const std::vector<float>& bias, int64_t inputs, int64_t outputs,
                                 bool byInput) {
  std::vector<double> exact(x.size() / static_cast<size_t>(inputs) * static_cast<size_t>(outputs));
  for (size_t i = 0; i < exact.size(); ++i) {
    const auto row = static_cast<int64_t>(i) / outputs, o = static_cast<int64_t>(i) % outputs;
    exact[i] = bias[static_cast<size_t>(o)];
    for (int64_t k = 0; k < inputs; ++k)
      exact[i] += static_cast<double>(x[static_cast<size_t>(row * inputs + k)]) *
                  values[static_cast<size_t>(byInput ? k * outputs + o : o * inputs + k)];
  }
  return exact;
}

}  // namespace

TEST(cublasLtProductsAreThoseOfFloat32Activations) {
  Random random(90);
  recorded = {};
  {
    cuda::CublasLt library(emulated());
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
          const std::vector<float> added =
              withBias ? bias.values() : std::vector<float>(static_cast<size_t>(outputs));
          const std::vector<double> expected =
              exactProduct(x, weight.values(), added, inputs, outputs, byInput);
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
  CHECK(recorded.open == 0 && std::string(recorded.wrong).empty());
}

TEST(cublasLtMultipliesInt8AsTheWholeNumbersThatItIs) {
  Random random(95);
  recorded = {};
  cuda::CublasLt library(emulated());
  const int64_t rows = 19;
  // Whole tiles; an unfinished group of inputs and tile of outputs; several groups; more than a block widens.
  for (const auto& [inputs, outputs] :
       std::vector<std::pair<int64_t, int64_t>>{{32, 16}, {40, 24}, {200, 8}, {256, 64}}) {
    for (const bool byInput : {false, true}) {
      const MatrixOnGpu matrix(random, DType::kInt8, byInput ? WeightOrder::kInputs : WeightOrder::kTiles,
                               outputs, inputs);
      const WeightOnGpu bias(random, static_cast<size_t>(outputs), DType::kBFloat16);
      const std::vector<float> x = random.normals(static_cast<size_t>(rows * inputs));
      const auto found = [&] {
        return product(library, x, matrix.weight(), bias.weight(), rows, inputs, outputs, byInput);
      };
      const auto read = weightTrafficOfGpu().first;
      const std::vector<double> exact =
          exactProduct(x, matrix.values(), bias.values(), inputs, outputs, byInput);
      CHECK(distance(found(), exact) < 2e-6);
      CHECK(weightTrafficOfGpu().first - read ==
            (byInput ? inputs * outputs : cpu::int8TileBytes(outputs, inputs)));
      std::vector<float> rounded = x;
      for (float& value : rounded) value = bfloat16ToFloat(floatToBFloat16(value));
      const Medium medium;
      CHECK(distance(found(),
                     exactProduct(rounded, matrix.values(), bias.values(), inputs, outputs, byInput)) < 2e-6);
    }
  }
  CHECK(recorded.products == 8 * (3 + 1) && std::string(recorded.wrong).empty());
}

TEST(cublasLtIsCapturedWithoutBeingAsked) {
  Random random(91);
  recorded = {};
  cuda::CublasLt library(emulated());
  const WeightOnGpu weight(random, 32 * 8, DType::kBFloat16);
  const OnGpu<float> x(random.normals(20 * 32)), out(20 * 8);
  const MatrixOnGpu int8(random, DType::kInt8, WeightOrder::kTiles, 8, 32);
  for (const auto& [of, nodes] : {std::pair{weight.weight(), 5}, {int8.weight(), 7}}) {
    const auto run = [&] {
      CHECK(cuda::linearByCublasLt({gpu(), out.data(), x.data(), of, {nullptr, DType::kFloat32}, 20, 32, 8},
                                   &library, false));
    };
    run();
    const std::vector<float> expected = out.read();
    gpu().fill(out.data(), 0xFF, 20 * 8 * sizeof(float));
    gpu().beginCapture();
    run();
    const auto graph = gpu().endCapture();
    CHECK(static_cast<int>(graph->nodes()) == nodes);
    for (int i = 0; i < 2; ++i) {
      gpu().launch(*graph);
      CHECK(out.read() == expected);
    }
  }
  CHECK(recorded.heuristics == 1);
  const auto isSame = [](const void* each) { return each == recorded.workspaces.front(); };
  CHECK(std::all_of(recorded.workspaces.begin(), recorded.workspaces.end(), isSame));
}

TEST(cublasLtLeavesToOthersWhatItCannot) {
  Random random(92);
  recorded = {};
  cuda::CublasLt library(emulated());
  const std::vector<float> x = random.normals(20 * 40);
  const WeightOnGpu bfloat16(random, 40 * 40, DType::kBFloat16), float32(random, 40 * 40, DType::kFloat32);
  const Weight none = {nullptr, DType::kFloat32};
  CHECK(product(library, x, float32.weight(), none, 20, 40, 40, false).empty());
  CHECK(product(library, x, bfloat16.weight(), none, 20, 36, 40, false).empty());
  CHECK(product(library, x, bfloat16.weight(), none, 20, 40, 36, false).empty());
  const Weight shifted = {static_cast<const uint16_t*>(bfloat16.weight().data) + 1, DType::kBFloat16};
  CHECK(product(library, x, shifted, none, 20, 32, 40, false).empty());
  // Nothing of these weights is read: they are more than are widened at once.
  const OnGpu<float> there(x), out(1);
  const Weight many = {bfloat16.weight().data, DType::kInt8, bfloat16.weight().data};
  CHECK(!cuda::linearByCublasLt({gpu(), out.data(), there.data(), many, none, 20, 8192, 8200}, &library,
                                false));
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
  const int64_t inputs = 32, outputs = 24;
  cuda::CublasLt library(emulated());
  for (const auto& [dtype, many] : {std::pair{DType::kBFloat16, int64_t{64}}, {DType::kInt8, 256}}) {
    const std::vector<float> x = random.normals(static_cast<size_t>(many * inputs));
    const OnGpu<float> there(x), out(static_cast<size_t>(many * outputs));
    for (const WeightOrder order : {WeightOrder::kTiles, WeightOrder::kInputs}) {
      const MatrixOnGpu matrix(random, dtype, order, outputs, inputs);
      const auto run = [&](int64_t rows) {
        (order == WeightOrder::kInputs ? cuda::linearByInput : cuda::linear)(
            gpu(), out.data(), there.data(), matrix.weight(), Weight{nullptr, DType::kFloat32}, rows, inputs,
            outputs);
        return out.read();
      };
      const std::vector<float> ours = run(many);
      cuda::CublasLt* before = cuda::setCublasLt(gpu(), &library);
      const int made = recorded.products;
      run(many - 1);
      CHECK(recorded.products == made);
      const std::vector<float> theirs = run(many);
      cuda::setCublasLt(gpu(), before);
      CHECK(recorded.products == made + 3);
      CHECK(distance(theirs, std::vector<double>(ours.begin(), ours.end())) < 1e-5);
    }
  }
}

TEST(cublasLtFailuresAreErrors) {
  Random random(93);
  recorded = {};
  recorded.multiplyStatus = 13;
  cuda::CublasLt library(emulated());
  const WeightOnGpu weight(random, 32 * 8, DType::kBFloat16);
  std::string message;
  try {
    product(library, random.normals(20 * 32), weight.weight(), {nullptr, DType::kFloat32}, 20, 32, 8, false);
  } catch (const cuda::Error& error) {
    message = error.what();
  }
  CHECK(message == "cuBLASLt: a product failed with status 13");
}

TEST(cublasLtThatDoesNotStartIsAnError) {
  recorded = {};
  recorded.startStatus = 1;
  std::string message;
  try {
    const cuda::CublasLt library(emulated());
  } catch (const cuda::Error& error) {
    message = error.what();
  }
  CHECK(message == "cuBLASLt: its start failed with status 1");
  recorded = {};
  CHECK(cuda::CublasLt(emulated()).version() == "13.1.2");
}
