#include <cstdlib>

#include "core/find_symbol.h"
#include "cuda/nccl.h"

namespace persimmon::cuda {

namespace {

// 2.18.1. Graphs can capture collectives since 2.9.6, but an abort waits for them, and for the other GPUs of
// the process, since 2.16.2.
constexpr int kLeastVersion = 21801;

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
    why = std::string(file) + " is no NCCL from 2.18.1 on: older ones may free what graphs still use";
    dlclose(library);
    return nullptr;
  }
  isLoaded = true;
  return &all;
}

}  // namespace persimmon::cuda
