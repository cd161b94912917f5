#include "addon/socket_probe_object.h"

#include "addon/call.h"

namespace sockdoc {

Napi::Function SocketProbeObject::define(Napi::Env env) {
  return DefineClass(
      env, "SocketProbe",
      {InstanceMethod<&SocketProbeObject::read>("read"), InstanceMethod<&SocketProbeObject::close>("close")});
}

Napi::Value SocketProbeObject::read(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  SocketsRequest request;
  request.netns = strings_field(object, "netns");
  request.pids = integers_field(object, "pids");
  request.self_pids = integers_field(object, "selfPids");
  request.rows = object.Get("rows").IsUndefined() || bool_field(object, "rows");
  request.sample_select = bool_field(object, "sampleSelect");
  return promise_of(info.Env(), [probe = probe_, request] { return probe->read(request); });
}

Napi::Value SocketProbeObject::close(const Napi::CallbackInfo& info) {
  probe_->close();
  return info.Env().Undefined();
}

}  // namespace sockdoc
