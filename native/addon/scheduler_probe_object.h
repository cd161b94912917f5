#pragma once

#include <napi.h>

#include <memory>

#include "probes/sched/sched_probe.h"

namespace sockdoc {

/**
 * The class SchedulerProbe of the addon: start(), read(request), stop() → Promise of JSON. A call under way keeps the
 * probe alive; the object's end (collection, or that of the environment) detaches its programs.
 */
class SchedulerProbeObject : public Napi::ObjectWrap<SchedulerProbeObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SchedulerProbeObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);

  std::shared_ptr<SchedProbe> probe_ = std::make_shared<SchedProbe>();
};

}  // namespace sockdoc
