#include "addon/connection_events_object.h"

#include "addon/call.h"

namespace sockdoc {

Napi::Function ConnectionEventsObject::define(Napi::Env env) {
  return DefineClass(
      env, "ConnectionEvents",
      {InstanceMethod<&ConnectionEventsObject::start>("start"), InstanceMethod<&ConnectionEventsObject::read>("read"),
       InstanceMethod<&ConnectionEventsObject::stop>("stop")});
}

Napi::Value ConnectionEventsObject::start(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  const EventsRequest request{strings_field(object, "netns"), bool_field(object, "destroyEventsOnly")};
  return promise_of(info.Env(), [events = events_, request] { return events->start(request); });
}

Napi::Value ConnectionEventsObject::read(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [events = events_] { return events->read(); });
}

Napi::Value ConnectionEventsObject::stop(const Napi::CallbackInfo& info) {
  events_->stop();
  return info.Env().Undefined();
}

}  // namespace sockdoc
