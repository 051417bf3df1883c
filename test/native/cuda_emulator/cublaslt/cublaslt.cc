// A cuBLASLt for the emulated runtime: a library that is found and loaded as NVIDIA's is, which checks what
// it is given and multiplies when the emulated GPU has come so far.
//
// Environment variables, read at each call, let a test of a whole process see and break it:
//
//   PERSIMMON_FAKE_CUBLASLT_LOG
//     a file that gets a line for each product: rows, inputs, outputs, captured or not
//   PERSIMMON_FAKE_CUBLASLT_REFUSE
//     what fails: "start" or "product"
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include "../stream.h"
#include "recorded.h"

using cuda_emulator::Stream;

namespace {

constexpr int kSuccess = 0, kNotInitialized = 1, kInvalidValue = 7, kExecutionFailed = 13;
// Any algorithm has to come back as it was found.
constexpr uint64_t kAlgorithm = 77;

RecordedCublasLt recorded;
std::mutex mutex;  // of all above: several GPUs have a thread each

std::string setting(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

int refuse(const char* why) {
  recorded.wrong = why;
  return kInvalidValue;
}

struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t leading;
};

struct Product {
  int computeType, scaleType;
  bool transposeA = false;
};

struct Algorithm {
  uint64_t data[8];
};

struct HeuristicResult {
  Algorithm algorithm;
  size_t workspaceBytes;
  int state;
  float waves;
  int reserved[4];
};

template <class T, class... Values>
int make(void** made, Values... values) {
  const std::lock_guard lock(mutex);
  *made = new T{values...};
  ++recorded.open;
  return kSuccess;
}

template <class T>
int destroy(void* made) {
  const std::lock_guard lock(mutex);
  delete static_cast<T*>(made);
  --recorded.open;
  return kSuccess;
}

// What the library would refuse: sizes that do not meet, types that it has no products of.
const char* wrongIn(const Product& product, const Layout& a, const Layout& b, const Layout& out) {
  if (product.computeType != 68 || product.scaleType != 0) return "sums that are not float32";
  if (a.type != 14 || b.type != 14 || out.type != 0) return "types other than bfloat16 and float32";
  if ((product.transposeA ? a.rows : a.columns) != b.rows ||
      (product.transposeA ? a.columns : a.rows) != out.rows || b.columns != out.columns)
    return "sizes that do not meet";
  for (const Layout& each : {a, b, out})
    if (each.leading != static_cast<int64_t>(each.rows)) return "a leading dimension";
  return nullptr;
}

float wide(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

void multiply(const uint16_t* a, const Layout& aLayout, bool transposeA, const uint16_t* b,
              const Layout& bLayout, float* out, const Layout& outLayout) {
  const auto inputs = static_cast<int64_t>(bLayout.rows);
  for (int64_t column = 0; column < static_cast<int64_t>(outLayout.columns); ++column) {
    for (int64_t row = 0; row < static_cast<int64_t>(outLayout.rows); ++row) {
      float sum = 0;
      for (int64_t k = 0; k < inputs; ++k)
        sum += wide(a[transposeA ? row * aLayout.leading + k : k * aLayout.leading + row]) *
               wide(b[column * bLayout.leading + k]);
      out[column * outLayout.leading + row] += sum;
    }
  }
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Not of NVIDIA's.
EXPORTED RecordedCublasLt& recordedCublasLt() { return recorded; }

EXPORTED size_t cublasLtGetVersion() { return 130102; }

EXPORTED int cublasLtCreate(void** handle) {
  if (setting("PERSIMMON_FAKE_CUBLASLT_REFUSE") == "start") return kNotInitialized;
  return recorded.startStatus == kSuccess ? make<int>(handle, 0) : recorded.startStatus;
}
EXPORTED int cublasLtDestroy(void* handle) { return destroy<int>(handle); }

EXPORTED int cublasLtMatmulDescCreate(void** product, int computeType, int scaleType) {
  return make<Product>(product, computeType, scaleType);
}
EXPORTED int cublasLtMatmulDescDestroy(void* product) { return destroy<Product>(product); }
EXPORTED int cublasLtMatmulDescSetAttribute(void* product, int attribute, const void* value, size_t bytes) {
  const std::lock_guard lock(mutex);
  if (attribute != 3 || bytes != 4 || *static_cast<const int*>(value) != 1)
    return refuse("an attribute of a product");
  static_cast<Product*>(product)->transposeA = true;
  return kSuccess;
}

EXPORTED int cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t columns,
                                        int64_t leading) {
  return make<Layout>(layout, type, rows, columns, leading);
}
EXPORTED int cublasLtMatrixLayoutDestroy(void* layout) { return destroy<Layout>(layout); }

EXPORTED int cublasLtMatmulPreferenceCreate(void** preference) { return make<int>(preference, 0); }
EXPORTED int cublasLtMatmulPreferenceDestroy(void* preference) { return destroy<int>(preference); }
EXPORTED int cublasLtMatmulPreferenceSetAttribute(void*, int attribute, const void* value, size_t bytes) {
  const std::lock_guard lock(mutex);
  if (attribute == 1 && bytes == 8) {
    recorded.workspaceLimit = *static_cast<const uint64_t*>(value);
  } else if (attribute >= 5 && attribute <= 8 && bytes == 4) {
    recorded.alignments.push_back(*static_cast<const uint32_t*>(value));
  } else {
    return refuse("an attribute of a preference");
  }
  return kSuccess;
}

EXPORTED int cublasLtMatmulAlgoGetHeuristic(void*, void* product, void* a, void* b, void* c, void* d, void*,
                                            int wanted, HeuristicResult* result, int* found) {
  const std::lock_guard lock(mutex);
  ++recorded.heuristics;
  if (wanted != 1 || c != d) return refuse("what a heuristic is asked for");
  const char* wrong = wrongIn(*static_cast<Product*>(product), *static_cast<Layout*>(a),
                              *static_cast<Layout*>(b), *static_cast<Layout*>(d));
  if (wrong != nullptr) return refuse(wrong);
  *result = {};
  result->algorithm.data[0] = kAlgorithm;
  result->workspaceBytes = recorded.workspaceNeeded;
  *found = recorded.found;
  return recorded.heuristicStatus;
}

EXPORTED int cublasLtMatmul(void*, void* product, const void* alpha, const void* a, void* aLayout,
                            const void* b, void* bLayout, const void* beta, const void* c, void*, void* d,
                            void* dLayout, const Algorithm* algorithm, void* workspace, size_t workspaceBytes,
                            void* onStream) {
  const std::lock_guard lock(mutex);
  ++recorded.products;
  recorded.workspaces.push_back(workspace);
  if (setting("PERSIMMON_FAKE_CUBLASLT_REFUSE") == "product") return kExecutionFailed;
  if (recorded.multiplyStatus != kSuccess) return recorded.multiplyStatus;
  if (*static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 1 || c != d)
    return refuse("a product that is not added to what is there");
  if (algorithm->data[0] != kAlgorithm || workspaceBytes != recorded.workspaceLimit)
    return refuse("an algorithm that was not found, or another workspace");
  for (const void* pointer : {a, b, static_cast<const void*>(d), static_cast<const void*>(workspace)})
    if (reinterpret_cast<uintptr_t>(pointer) % 16 != 0) return refuse("an address that is not aligned");
  auto& stream = *static_cast<Stream*>(onStream);
  const Layout ofA = *static_cast<Layout*>(aLayout), ofB = *static_cast<Layout*>(bLayout),
               ofOut = *static_cast<Layout*>(dLayout);
  if (const std::string log = setting("PERSIMMON_FAKE_CUBLASLT_LOG"); !log.empty()) {
    FILE* file = std::fopen(log.c_str(), "a");
    std::fprintf(file, "%d %d %d %s\n", static_cast<int>(ofOut.columns), static_cast<int>(ofB.rows),
                 static_cast<int>(ofOut.rows), stream.isCapturing() ? "captured" : "at once");
    std::fclose(file);
  }
  const bool transposeA = static_cast<Product*>(product)->transposeA;
  stream.put({reinterpret_cast<const void*>(&multiply),
              [=] {
                multiply(static_cast<const uint16_t*>(a), ofA, transposeA, static_cast<const uint16_t*>(b),
                         ofB, static_cast<float*>(d), ofOut);
              },
              {}});
  return kSuccess;
}
