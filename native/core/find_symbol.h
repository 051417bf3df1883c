// Functions of libraries that are looked up at run time.
#pragma once

#include <dlfcn.h>

namespace persimmon {

/** Whether the library, which dlopen has given, has a function of that name. */
template <class Function>
bool findSymbol(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace persimmon
