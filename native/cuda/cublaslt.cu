#include <span>

#include "core/find_symbol.h"
#include "cuda/cublaslt.h"
#include "cuda/queue.h"

namespace persimmon::cuda {

namespace {

// The library's numbers for what is asked of it.
constexpr int kFloat32 = 0, kBFloat16 = 14;  // cudaDataType_t
constexpr int kComputeFloat32 = 68;          // cublasComputeType_t
constexpr int kTransposed = 1;               // cublasOperation_t
constexpr int kTransposeA = 3;               // cublasLtMatmulDescAttributes_t
constexpr int kWorkspace = 1;                // cublasLtMatmulPreferenceAttributes_t
constexpr int kAlignments[] = {5, 6, 7, 8};  // of A, B, C and D

const char* const kNames[] = {"libcublasLt.so.13", "libcublasLt.so.12"};
const char* const kWhereToGetIt =
    ": install the cuBLAS of NVIDIA's CUDA toolkit or pip's nvidia-cublas, and where it is not found then, "
    "set "
    "PERSIMMON_CUBLASLT to the path of libcublasLt.so.13";

/** Opens the first of these that can be. */
void* opened(std::span<const char* const> names, std::string& why) {
  for (const char* name : names) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
    why += (why.empty() ? "" : "; ") + std::string(dlerror());
  }
  return nullptr;
}

bool findAll(void* library, CublasLtFunctions& all) {
  return findSymbol(library, "cublasLtGetVersion", all.version) &&
         findSymbol(library, "cublasLtCreate", all.create) &&
         findSymbol(library, "cublasLtDestroy", all.destroy) &&
         findSymbol(library, "cublasLtMatmulDescCreate", all.productCreate) &&
         findSymbol(library, "cublasLtMatmulDescDestroy", all.productDestroy) &&
         findSymbol(library, "cublasLtMatmulDescSetAttribute", all.productSet) &&
         findSymbol(library, "cublasLtMatrixLayoutCreate", all.layoutCreate) &&
         findSymbol(library, "cublasLtMatrixLayoutDestroy", all.layoutDestroy) &&
         findSymbol(library, "cublasLtMatmulPreferenceCreate", all.preferenceCreate) &&
         findSymbol(library, "cublasLtMatmulPreferenceDestroy", all.preferenceDestroy) &&
         findSymbol(library, "cublasLtMatmulPreferenceSetAttribute", all.preferenceSet) &&
         findSymbol(library, "cublasLtMatmulAlgoGetHeuristic", all.heuristic) &&
         findSymbol(library, "cublasLtMatmul", all.multiply);
}

void check(CublasLtFunctions::Status status, const char* what) {
  if (status != 0)
    throw Error(std::string("cuBLASLt: ") + what + " failed with status " + std::to_string(status));
}

}  // namespace

const CublasLtFunctions* CublasLtFunctions::load(const std::string& file, std::string& why) {
  static CublasLtFunctions all;
  static bool isLoaded = false;
  if (isLoaded) return &all;
  const char* const one[] = {file.c_str()};
  std::string tried;
  void* library = opened(file.empty() ? std::span<const char* const>(kNames) : one, tried);
  if (library == nullptr) {
    why = "cuBLASLt cannot be loaded (" + tried + ")" + kWhereToGetIt;
    return nullptr;
  }
  isLoaded = findAll(library, all);
  if (isLoaded) return &all;
  dlclose(library);
  why =
      (file.empty() ? "the libcublasLt of this system" : file) + " lacks functions that CUDA 12 and 13 have";
  return nullptr;
}

/**
 * Descriptors of one shape. To the library, which counts by columns, our row-major matrices are their
 * transposes: out^T [outputs, rows] = w x^T, with x^T [inputs, rows] as it lies, and w [outputs, inputs] as
 * the transpose of what lies there, or as it lies where it is stored by input.
 */
struct CublasLt::Plan {
  Plan(const CublasLtFunctions& all, void* handle, const CublasLtShape& shape) : functions(all) {
    try {
      open(handle, shape);
    } catch (...) {
      close();
      throw;
    }
  }
  ~Plan() { close(); }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  void open(void* handle, const CublasLtShape& shape) {
    const auto [rows, inputs, outputs, byInput] = shape;
    check(functions.productCreate(&product, kComputeFloat32, kFloat32), "a description of a product");
    if (!byInput)
      check(functions.productSet(product, kTransposeA, &kTransposed, sizeof kTransposed), "a transposition");
    const auto layout = [&](void** made, int type, int64_t height, int64_t width) {
      check(functions.layoutCreate(made, type, static_cast<uint64_t>(height), static_cast<uint64_t>(width),
                                   height),
            "a layout");
    };
    layout(&w, kBFloat16, byInput ? outputs : inputs, byInput ? inputs : outputs);
    layout(&x, kBFloat16, inputs, rows);
    layout(&out, kFloat32, outputs, rows);
    check(functions.preferenceCreate(&preference), "a preference");
    const uint64_t workspace = kWorkspaceBytes;
    check(functions.preferenceSet(preference, kWorkspace, &workspace, sizeof workspace), "a preference");
    for (const int attribute : kAlignments)
      check(functions.preferenceSet(preference, attribute, &kAlignment, sizeof kAlignment), "a preference");
    CublasLtFunctions::HeuristicResult result{};
    int count = 0;
    const CublasLtFunctions::Status status =
        functions.heuristic(handle, product, w, x, out, out, preference, 1, &result, &count);
    found = status == 0 && count > 0 && result.state == 0 && result.workspaceBytes <= kWorkspaceBytes;
    algorithm = result.algorithm;
  }

  void close() {
    for (void* layout : {w, x, out})
      if (layout != nullptr) functions.layoutDestroy(layout);
    if (preference != nullptr) functions.preferenceDestroy(preference);
    if (product != nullptr) functions.productDestroy(product);
  }

  const CublasLtFunctions& functions;
  void *product = nullptr, *w = nullptr, *x = nullptr, *out = nullptr, *preference = nullptr;
  CublasLtFunctions::Algorithm algorithm{};
  bool found = false;
};

CublasLt::CublasLt(const CublasLtFunctions& functions) : functions_(functions) {
  check(functions_.create(&handle_), "its start");
}

CublasLt::~CublasLt() {
  plans_.clear();
  functions_.destroy(handle_);
}

std::string CublasLt::version() const {
  const size_t number = functions_.version();
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
         std::to_string(number % 100);
}

const CublasLt::Plan& CublasLt::planFor(const CublasLtShape& shape) {
  std::unique_ptr<Plan>& plan = plans_[shape];
  if (plan == nullptr) plan = std::make_unique<Plan>(functions_, handle_, shape);
  return *plan;
}

bool CublasLt::has(const CublasLtShape& shape) { return planFor(shape).found; }

void CublasLt::add(const CublasLtShape& shape, float* out, const uint16_t* x, const uint16_t* w,
                   void* workspace, void* stream) {
  const Plan& plan = planFor(shape);
  const float one = 1;
  check(functions_.multiply(handle_, plan.product, &one, w, plan.w, x, plan.x, &one, out, plan.out, out,
                            plan.out, &plan.algorithm, workspace, kWorkspaceBytes, stream),
        "a product");
}

}  // namespace persimmon::cuda
