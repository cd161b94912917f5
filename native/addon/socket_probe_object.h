#pragma once

#include <napi.h>

#include <memory>

#include "probes/sockets/socket_probe.h"

namespace sockdoc {

/**
 * The class SocketProbe of the addon: read(request) → Promise of JSON, close(). A reading under way keeps the probe
 * alive; the object's end (collection, or that of the environment) ends the sampling thread with it.
 */
class SocketProbeObject : public Napi::ObjectWrap<SocketProbeObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SocketProbeObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<SocketProbe> probe_ = std::make_shared<SocketProbe>();
};

}  // namespace sockdoc
