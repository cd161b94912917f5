#pragma once

#include <napi.h>

#include <memory>

#include "probes/drops/drop_probe.h"

namespace sockdoc {

/**
 * The class DropProbe of the addon: start(), stop() → Promise of JSON. A call under way keeps the probe alive; the
 * object's end (collection, or that of the environment) detaches its program.
 */
class DropProbeObject : public Napi::ObjectWrap<DropProbeObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit DropProbeObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);

  std::shared_ptr<DropProbe> probe_ = std::make_shared<DropProbe>();
};

}  // namespace sockdoc
