#pragma once

#include <napi.h>

namespace sockdoc {

/** `inspectCommand` and `replaceProcess` of src/probes/native.ts. */
void define_launch(Napi::Env env, Napi::Object& exports);

}  // namespace sockdoc
