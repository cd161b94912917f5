#include "addon/scheduler_probe_object.h"

#include <algorithm>

#include "addon/call.h"

namespace sockdoc {
namespace {

// What the answer may hold, whatever is asked for: some 500 bytes each.
constexpr int kMaxLimit = 4096;

}  // namespace

Napi::Function SchedulerProbeObject::define(Napi::Env env) {
  return DefineClass(
      env, "SchedulerProbe",
      {InstanceMethod<&SchedulerProbeObject::start>("start"), InstanceMethod<&SchedulerProbeObject::read>("read"),
       InstanceMethod<&SchedulerProbeObject::stop>("stop")});
}

Napi::Value SchedulerProbeObject::start(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [probe = probe_] {
    probe->start();
    return std::string("{}");
  });
}

Napi::Value SchedulerProbeObject::read(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  SchedRequest request;
  if (!object.Get("pids").IsUndefined()) request.pids = integers_field(object, "pids");
  request.socket_pids = integers_field(object, "socketPids");
  request.self_pids = integers_field(object, "selfPids");
  if (const auto limit = object.Get("limit"); limit.IsNumber()) {
    request.limit = static_cast<std::size_t>(std::clamp(limit.ToNumber().Int32Value(), 0, kMaxLimit));
  }
  return promise_of(info.Env(), [probe = probe_, request] { return probe->read(request); });
}

Napi::Value SchedulerProbeObject::stop(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [probe = probe_] {
    probe->stop();
    return std::string("{}");
  });
}

}  // namespace sockdoc
