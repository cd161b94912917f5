#pragma once

#include <napi.h>

#include <memory>

#include "probes/events/connection_events.h"

namespace sockdoc {

/**
 * The class ConnectionEvents of the addon: start({netns}), read() → Promise of JSON, stop(). A call under way keeps it
 * alive; the object's end (collection, or that of the environment) ends its thread and its subscriptions.
 */
class ConnectionEventsObject : public Napi::ObjectWrap<ConnectionEventsObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ConnectionEventsObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);

  std::shared_ptr<ConnectionEvents> events_ = std::make_shared<ConnectionEvents>();
};

}  // namespace sockdoc
