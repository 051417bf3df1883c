// MPI, looked up at run time: neither its headers nor its library are needed to build. Only Open MPI, whose
// binary interface this is: handles are addresses of objects in the library.
#pragma once

#include <string>

namespace persimmon {

struct MpiLibrary {
  using Handle = void*;

  int (*initThread)(int* argc, char*** argv, int required, int* provided) = nullptr;
  int (*initialized)(int* flag) = nullptr;
  int (*finalize)() = nullptr;
  int (*setErrorHandler)(Handle communicator, Handle handler) = nullptr;
  int (*rank)(Handle communicator, int* rank) = nullptr;
  int (*size)(Handle communicator, int* size) = nullptr;
  int (*allGather)(const void* mine, int count, Handle type, void* all, int countEach, Handle typeEach,
                   Handle communicator, Handle* request) = nullptr;
  int (*broadcast)(void* data, int count, Handle type, int root, Handle communicator,
                   Handle* request) = nullptr;
  int (*test)(Handle* request, int* done, void* status) = nullptr;
  int (*abort)(Handle communicator, int code) = nullptr;
  Handle world = nullptr;
  Handle byte = nullptr;
  Handle errorsReturn = nullptr;

  // The library, loaded at the first call; nullptr with the reason when there is none that fits.
  static const MpiLibrary* load(std::string& error);
};

}  // namespace persimmon
