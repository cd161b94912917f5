#pragma once

#include <napi.h>

#include <memory>

#include "probes/cpu/socket_share_probe.h"

namespace sockdoc {

/**
 * The class SocketShareProbe of the addon: start(), read(pids), stop() → Promise of JSON. A call under way keeps the
 * probe alive; the object's end (collection, or that of the environment) ends the sampling.
 */
class SocketShareProbeObject : public Napi::ObjectWrap<SocketShareProbeObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SocketShareProbeObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);

  std::shared_ptr<SocketShareProbe> probe_ = std::make_shared<SocketShareProbe>();
};

}  // namespace sockdoc
