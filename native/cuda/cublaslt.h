// Products of bfloat16 matrices by NVIDIA's cuBLASLt, which is looked up at run time: the build needs neither
// its headers nor the library. What is declared here is that of "cuBLAS Library, using the cuBLASLt API" in
// NVIDIA's documentation, the same in CUDA 12 and 13.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace persimmon::cuda {

/** The functions of the library that are used. Handles, descriptors and streams are opaque pointers. */
struct CublasLtFunctions {
  using Status = int;  // 0: success
  struct Algorithm {
    uint64_t data[8];
  };
  struct HeuristicResult {
    Algorithm algorithm;
    size_t workspaceBytes;
    Status state;
    float waves;
    int reserved[4];
  };

  size_t (*version)();  // 130101: 13.1.1
  Status (*create)(void** handle);
  Status (*destroy)(void* handle);
  Status (*productCreate)(void** product, int computeType, int scaleType);
  Status (*productDestroy)(void* product);
  Status (*productSet)(void* product, int attribute, const void* value, size_t bytes);
  Status (*layoutCreate)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t leading);
  Status (*layoutDestroy)(void* layout);
  Status (*preferenceCreate)(void** preference);
  Status (*preferenceDestroy)(void* preference);
  Status (*preferenceSet)(void* preference, int attribute, const void* value, size_t bytes);
  Status (*heuristic)(void* handle, void* product, void* a, void* b, void* c, void* d, void* preference,
                      int wanted, HeuristicResult* results, int* found);
  Status (*multiply)(void* handle, void* product, const void* alpha, const void* a, void* aLayout,
                     const void* b, void* bLayout, const void* beta, const void* c, void* cLayout, void* d,
                     void* dLayout, const Algorithm* algorithm, void* workspace, size_t workspaceBytes,
                     void* stream);

  /** Those of the library of that name or path, or of this system's where it is empty; or nullptr with the
   * reason. */
  static const CublasLtFunctions* load(const std::string& file, std::string& why);
};

/** Sizes of out[rows, outputs] += x[rows, inputs] . w, with w [outputs, inputs], or [inputs, outputs]. */
struct CublasLtShape {
  int64_t rows, inputs, outputs;
  bool byInput;
  auto operator<=>(const CublasLtShape&) const = default;
};

/** A handle of the library, with what it has found for each shape. Used by one thread. */
class CublasLt {
 public:
  /** NVIDIA's recommendation for compute capability 9.0; 4 MiB would do for 8.0. */
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;
  /** What all matrices are aligned to, in bytes. */
  static constexpr uint32_t kAlignment = 16;

  /** Throws an Error where the library refuses, as without a driver that is new enough. */
  explicit CublasLt(const CublasLtFunctions& functions);
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  /** 13.1.1 */
  std::string version() const;

  /** Whether the library has an algorithm; what it says of a shape is kept, so that a capture does not ask.
   */
  bool has(const CublasLtShape& shape);

  /**
   * Adds a product of row-major bfloat16 matrices to float32 `out`, with float32 sums. For shapes that it
   * has. Throws an Error where the library fails.
   * @param workspace kWorkspaceBytes on the GPU
   */
  void add(const CublasLtShape& shape, float* out, const uint16_t* x, const uint16_t* w, void* workspace,
           void* stream);

 private:
  struct Plan;
  const Plan& planFor(const CublasLtShape& shape);

  const CublasLtFunctions& functions_;
  void* handle_ = nullptr;
  std::map<CublasLtShape, std::unique_ptr<Plan>> plans_;
};

}  // namespace persimmon::cuda
