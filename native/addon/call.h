#pragma once

#include <napi.h>

#include <functional>
#include <string>

namespace sockdoc {

/**
 * Runs `work` on a thread of libuv's pool and returns a promise of the JSON text that it makes. A C++ exception becomes
 * a rejection. `work` must not touch JavaScript values.
 */
Napi::Value promise_of(Napi::Env env, std::function<std::string()> work);

std::string string_field(const Napi::Object& object, const char* name);
bool bool_field(const Napi::Object& object, const char* name);
std::vector<std::string> strings_field(const Napi::Object& object, const char* name);
std::vector<int> integers_field(const Napi::Object& object, const char* name);
/** Whole numbers up to 2^53; also negative ones. */
std::vector<std::int64_t> numbers_field(const Napi::Object& object, const char* name);

}  // namespace sockdoc
