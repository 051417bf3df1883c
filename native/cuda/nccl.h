// NVIDIA's NCCL, looked up at run time: the build needs neither its header nor the library. What is declared
// here is that of nccl.h, unchanged since NCCL 2.4.
#pragma once

#include <cstddef>
#include <string>

namespace persimmon::cuda {

/** The functions of the library that are used. Communicators and streams are opaque pointers. */
struct NcclFunctions {
  using Status = int;  // ncclResult_t
  static constexpr Status kSuccess = 0, kInProgress = 7;
  static constexpr int kBytes = 0, kFloat32 = 7;  // ncclDataType_t
  static constexpr int kSum = 0;                  // ncclRedOp_t

  Status (*getVersion)(int* version);
  /** One communicator a GPU, all of this process. Waits until they are connected. */
  Status (*initAll)(void** communicators, int count, const int* devices);
  /**
   * Ends what runs on the GPU and frees the communicator; the last one of a process waits until all graphs
   * are gone that hold collectives of theirs.
   */
  Status (*abort)(void* communicator);
  Status (*asyncError)(void* communicator, Status* error);
  const char* (*errorString)(Status status);
  Status (*allReduce)(const void* x, void* out, size_t count, int type, int operation, void* communicator,
                      void* stream);
  /** `count` of each rank's x. */
  Status (*allGather)(const void* x, void* out, size_t count, int type, void* communicator, void* stream);
  Status (*broadcast)(const void* x, void* out, size_t count, int type, int root, void* communicator,
                      void* stream);

  /**
   * Those of this system's library, or nullptr with the reason. PERSIMMON_NCCL names the file, as where pip
   * has put it; else it is libnccl.so.2.
   */
  static const NcclFunctions* load(std::string& why);
};

}  // namespace persimmon::cuda
