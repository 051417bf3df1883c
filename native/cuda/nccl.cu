#include <cstdlib>

#include "core/find_symbol.h"
#include "cuda/nccl.h"

namespace persimmon::cuda {

namespace {

constexpr int kLeastVersion = 20906;  // 2.9.6, the first that graphs can capture

bool findAll(void* library, NcclFunctions& all) {
  return findSymbol(library, "ncclGetVersion", all.getVersion) &&
         findSymbol(library, "ncclCommInitAll", all.initAll) &&
         findSymbol(library, "ncclCommAbort", all.abort) &&
         findSymbol(library, "ncclCommGetAsyncError", all.asyncError) &&
         findSymbol(library, "ncclGetErrorString", all.errorString) &&
         findSymbol(library, "ncclAllReduce", all.allReduce) &&
         findSymbol(library, "ncclAllGather", all.allGather) &&
         findSymbol(library, "ncclBroadcast", all.broadcast);
}

}  // namespace

const NcclFunctions* NcclFunctions::load(std::string& why) {
  static NcclFunctions all;
  static bool isLoaded = false;
  if (isLoaded) return &all;
  const char* file = std::getenv("PERSIMMON_NCCL");
  if (file == nullptr || *file == '\0') file = "libnccl.so.2";
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    why = std::string("NCCL, by which GPUs exchange what they have, cannot be loaded (") + dlerror() +
          "): install it (Debian's and NVIDIA's package is libnccl2, pip's nvidia-nccl-cu13 or "
          "nvidia-nccl-cu12), and where the system does not find it set PERSIMMON_NCCL to the path of "
          "libnccl.so.2";
    return nullptr;
  }
  int version = 0;
  if (!findAll(library, all) || all.getVersion(&version) != kSuccess || version < kLeastVersion) {
    why = std::string(file) + " is no NCCL from 2.9.6 on, the first whose work can be part of a graph";
    dlclose(library);
    return nullptr;
  }
  isLoaded = true;
  return &all;
}

}  // namespace persimmon::cuda
