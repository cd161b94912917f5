#include "addon/socket_share_probe_object.h"

#include "addon/call.h"

namespace sockdoc {

Napi::Function SocketShareProbeObject::define(Napi::Env env) {
  return DefineClass(
      env, "SocketShareProbe",
      {InstanceMethod<&SocketShareProbeObject::start>("start"), InstanceMethod<&SocketShareProbeObject::read>("read"),
       InstanceMethod<&SocketShareProbeObject::stop>("stop")});
}

Napi::Value SocketShareProbeObject::start(const Napi::CallbackInfo& info) {
  const unsigned hertz = info[0].ToObject().Get("hertz").ToNumber().Uint32Value();
  return promise_of(info.Env(), [probe = probe_, hertz] {
    probe->start(hertz);
    return std::string("{}");
  });
}

Napi::Value SocketShareProbeObject::read(const Napi::CallbackInfo& info) {
  const auto pids = integers_field(info[0].ToObject(), "pids");
  return promise_of(info.Env(), [probe = probe_, pids] { return probe->read(pids); });
}

Napi::Value SocketShareProbeObject::stop(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [probe = probe_] {
    probe->stop();
    return std::string("{}");
  });
}

}  // namespace sockdoc
