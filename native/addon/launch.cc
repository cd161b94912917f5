#include "addon/launch.h"

#include <unistd.h>

#include <cstring>

#include "addon/call.h"
#include "base/json.h"
#include "launch/command.h"
#include "launch/replace.h"

namespace sockdoc {
namespace {

launch::Command command_of(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  return launch::find_command(arguments.empty() ? "" : arguments.front(), launch::value_in(environment, "PATH"));
}

Napi::Value inspect_command(const Napi::CallbackInfo& info) {
  const auto count = info[0].ToNumber().Uint32Value();
  const auto command = command_of(launch::last_arguments(count), launch::first_environment());
  Json json;
  json.begin_object().field("path", command.path);
  if (command.error != 0) json.field("errno", command.error).field("message", std::strerror(command.error));
  if (command.error == 0 && command.fit != program::Fit::fits) {
    json.field("judged", command.judged).field("why", program::fit_text(command.fit));
    json.field("loaderMinds", program::loader_minds(command.fit));
  }
  return Napi::String::New(info.Env(), json.end_object().take());
}

/** Comes back only when it failed, with the reason. */
Napi::Value replace_process(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  const auto count = object.Get("count").ToNumber().Uint32Value();
  launch::Replacement replacement;
  replacement.arguments = launch::last_arguments(count);
  replacement.environment = launch::first_environment();
  replacement.path = command_of(replacement.arguments, replacement.environment).path;
  replacement.drop = strings_field(object, "drop");
  replacement.set = strings_field(object, "set");
  if (const char* note = launch::value_in(replacement.environment, "SOCKDOC_INHERITED"); note != nullptr) {
    replacement.inherited = launch::parse_inherited(note, ::getpid()).value_or(launch::Inherited{});
  }
  replacement.inherited.open_at_start = integers_field(object, "openAtStart");
  for (const int fd : integers_field(object, "blocking")) replacement.inherited.nonblocking.emplace_back(fd, false);
  for (const int fd : integers_field(object, "nonblocking")) replacement.inherited.nonblocking.emplace_back(fd, true);
  const Error error = launch::replace_process(replacement);
  return Napi::String::New(info.Env(), error.message());
}

}  // namespace

void define_launch(Napi::Env env, Napi::Object& exports) {
  exports.Set("inspectCommand", Napi::Function::New(env, inspect_command));
  exports.Set("replaceProcess", Napi::Function::New(env, replace_process));
}

}  // namespace sockdoc
