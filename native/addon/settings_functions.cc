#include "addon/settings_functions.h"

#include <sys/file.h>

#include "addon/call.h"
#include "settings/ethtool_set.h"
#include "settings/netns_identity.h"
#include "settings/process_limit.h"
#include "settings/setting_file.h"

namespace sockdoc {
namespace {

Napi::Value write_file(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  SettingFileRequest request{string_field(object, "netns"), bool_field(object, "ownSysfs"),
                             string_field(object, "path"), std::nullopt};
  if (object.Get("text").IsString()) request.text = string_field(object, "text");
  return promise_of(info.Env(), [request] { return write_setting_file(request); });
}

Napi::Value ethtool(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  const EthtoolSetRequest request{string_field(object, "netns"), string_field(object, "link"),
                                  string_field(object, "field"), object.Get("value").ToNumber().Uint32Value()};
  return promise_of(info.Env(), [request] { return set_ethtool(request); });
}

/** A number as text, because limits have 64 bits; "unlimited". */
std::uint64_t limit_field(const Napi::Object& object, const char* name) {
  const std::string text = string_field(object, name);
  return text == "unlimited" ? kUnlimited : std::strtoull(text.c_str(), nullptr, 10);
}

Napi::Value limit(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  const ProcessLimitRequest request{object.Get("pid").ToNumber().Int32Value(), string_field(object, "resource"),
                                    limit_field(object, "soft"), limit_field(object, "hard")};
  return promise_of(info.Env(), [request] { return set_process_limit(request); });
}

Napi::Value netns_identity(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [path = info[0].ToString().Utf8Value()] { return read_netns_identity(path); });
}

/** flock(2) on an open descriptor, without waiting: whether it is ours now. It goes with the descriptor. */
Napi::Value try_lock(const Napi::CallbackInfo& info) {
  if (::flock(info[0].ToNumber().Int32Value(), LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == EWOULDBLOCK) return Napi::Boolean::New(info.Env(), false);
  throw Napi::Error::New(info.Env(), std::string("flock: ") + std::strerror(errno));
}

}  // namespace

void define_settings(Napi::Env env, Napi::Object exports) {
  exports.Set("writeSettingFile", Napi::Function::New(env, write_file));
  exports.Set("setEthtool", Napi::Function::New(env, ethtool));
  exports.Set("setLimit", Napi::Function::New(env, limit));
  exports.Set("netnsIdentity", Napi::Function::New(env, netns_identity));
  exports.Set("tryLock", Napi::Function::New(env, try_lock));
}

}  // namespace sockdoc
