#include "addon/drop_probe_object.h"

#include "addon/call.h"

namespace sockdoc {

Napi::Function DropProbeObject::define(Napi::Env env) {
  return DefineClass(
      env, "DropProbe",
      {InstanceMethod<&DropProbeObject::start>("start"), InstanceMethod<&DropProbeObject::stop>("stop")});
}

Napi::Value DropProbeObject::start(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [probe = probe_] { return probe->start(); });
}

Napi::Value DropProbeObject::stop(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [probe = probe_] { return probe->stop(); });
}

}  // namespace sockdoc
