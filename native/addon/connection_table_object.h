#pragma once

#include <napi.h>

#include <memory>

#include "probes/connections/connection_table.h"

namespace sockdoc {

/**
 * The class ConnectionTable of the addon: read(request), select(selection) → Promise of {head, rows}: JSON texts, the
 * rows as bytes, which may be written out without ever becoming JavaScript values. A field or sort that is not known is
 * a TypeError.
 */
class ConnectionTableObject : public Napi::ObjectWrap<ConnectionTableObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ConnectionTableObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value select(const Napi::CallbackInfo& info);

  std::shared_ptr<ConnectionTable> table_ = std::make_shared<ConnectionTable>();
};

}  // namespace sockdoc
