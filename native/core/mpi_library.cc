#include "mpi_library.h"

#include "find_symbol.h"

namespace persimmon {

namespace {

// Open MPI 3 and 4, Open MPI 5, and the link that the development package makes.
const char* const kNames[] = {"libmpi.so.40", "libmpi.so.80", "libmpi.so", "libmpi.40.dylib", "libmpi.dylib"};

bool findAll(void* library, MpiLibrary& mpi, std::string& error) {
  mpi.world = dlsym(library, "ompi_mpi_comm_world");
  mpi.byte = dlsym(library, "ompi_mpi_byte");
  mpi.errorsReturn = dlsym(library, "ompi_mpi_errors_return");
  if (mpi.world == nullptr || mpi.byte == nullptr || mpi.errorsReturn == nullptr) {
    error = "the MPI library of this system is not Open MPI, the one that is supported";
    return false;
  }
  const bool complete =
      findSymbol(library, "MPI_Init_thread", mpi.initThread) &&
      findSymbol(library, "MPI_Initialized", mpi.initialized) &&
      findSymbol(library, "MPI_Finalize", mpi.finalize) &&
      findSymbol(library, "MPI_Comm_set_errhandler", mpi.setErrorHandler) &&
      findSymbol(library, "MPI_Comm_rank", mpi.rank) && findSymbol(library, "MPI_Comm_size", mpi.size) &&
      findSymbol(library, "MPI_Iallgather", mpi.allGather) &&
      findSymbol(library, "MPI_Ibcast", mpi.broadcast) && findSymbol(library, "MPI_Test", mpi.test) &&
      findSymbol(library, "MPI_Abort", mpi.abort);
  if (!complete) error = "the Open MPI library of this system lacks functions of MPI 3";
  return complete;
}

}  // namespace

const MpiLibrary* MpiLibrary::load(std::string& error) {
  static MpiLibrary mpi;
  static bool isLoaded = false;
  if (isLoaded) return &mpi;
  void* library = nullptr;
  // Global: the components of Open MPI look for its symbols there.
  for (const char* name : kNames) {
    if ((library = dlopen(name, RTLD_NOW | RTLD_GLOBAL)) != nullptr) break;
  }
  if (library == nullptr) {
    error =
        "there is no MPI library (libmpi.so) on this system; Debian and Ubuntu have it in `apt-get install "
        "openmpi-bin`";
    return nullptr;
  }
  isLoaded = findAll(library, mpi, error);
  return isLoaded ? &mpi : nullptr;
}

}  // namespace persimmon
