// JavaScript errors with a `code`, as src/errors.ts has them.
#pragma once

#include <napi.h>

#include <string>

namespace persimmon {

inline Napi::Error codedError(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

inline void throwCoded(Napi::Env env, const char* code, const std::string& message) {
  codedError(env, code, message).ThrowAsJavaScriptException();
}

}  // namespace persimmon
