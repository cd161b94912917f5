#include <malloc.h>
#include <napi.h>

#include "addon/call.h"
#include "addon/connection_events_object.h"
#include "addon/connection_table_object.h"
#include "addon/drop_probe_object.h"
#include "addon/launch.h"
#include "addon/scheduler_probe_object.h"
#include "addon/settings_functions.h"
#include "addon/socket_probe_object.h"
#include "addon/socket_share_probe_object.h"
#include "probes/descriptors/descriptors.h"
#include "probes/features.h"
#include "probes/files.h"
#include "probes/kernel_log/kernel_log.h"
#include "probes/links/links.h"
#include "probes/rdma/rdma.h"

namespace sockdoc {
namespace {

/** Raised whenever a function's request or answer changes shape; src/probes/native.ts refuses any other. */
constexpr int kAbiVersion = 13;

Napi::Value files(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  FileRequest request;
  request.netns = string_field(object, "netns");
  request.own_sysfs = bool_field(object, "ownSysfs");
  request.files = strings_field(object, "files");
  request.file_globs = strings_field(object, "fileGlobs");
  request.trees = strings_field(object, "trees");
  request.skip = strings_field(object, "skip");
  request.links = strings_field(object, "links");
  request.link_globs = strings_field(object, "linkGlobs");
  request.path_globs = strings_field(object, "pathGlobs");
  return promise_of(info.Env(), [request] { return read_files(request); });
}

Napi::Value links(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  const LinksRequest request{string_field(object, "netns"), bool_field(object, "countersOnly"),
                             bool_field(object, "standardOnly"), bool_field(object, "ethtoolIoctlOnly")};
  return promise_of(info.Env(), [request] { return read_links(request); });
}

Napi::Value descriptors(const Napi::CallbackInfo& info) {
  const auto object = info[0].ToObject();
  const DescriptorsRequest request{integers_field(object, "pids"), bool_field(object, "detail"),
                                   bool_field(object, "allWatches")};
  return promise_of(info.Env(), [request] { return read_descriptors(request); });
}

Napi::Value features(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [] { return read_features(); });
}

Napi::Value kernel_log(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [] { return read_kernel_log(); });
}

Napi::Value rdma(const Napi::CallbackInfo& info) {
  return promise_of(info.Env(), [] { return read_rdma(); });
}

/**
 * The tables of a reading are large and short-lived, and readings run on several threads, each with a heap of its own
 * in glibc. Left alone it raises the size from which memory comes straight from the kernel to that of the largest
 * table, and then every heap keeps what its largest reading took.
 */
void give_large_tables_back() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  give_large_tables_back();
  exports.Set("abiVersion", Napi::Number::New(env, kAbiVersion));
  exports.Set("files", Napi::Function::New(env, files));
  exports.Set("ConnectionTable", ConnectionTableObject::define(env));
  exports.Set("SocketProbe", SocketProbeObject::define(env));
  exports.Set("links", Napi::Function::New(env, links));
  exports.Set("descriptors", Napi::Function::New(env, descriptors));
  exports.Set("features", Napi::Function::New(env, features));
  exports.Set("kernelLog", Napi::Function::New(env, kernel_log));
  exports.Set("DropProbe", DropProbeObject::define(env));
  exports.Set("SchedulerProbe", SchedulerProbeObject::define(env));
  exports.Set("SocketShareProbe", SocketShareProbeObject::define(env));
  exports.Set("ConnectionEvents", ConnectionEventsObject::define(env));
  exports.Set("rdma", Napi::Function::New(env, rdma));
  define_launch(env, exports);
  define_settings(env, exports);
  return exports;
}

}  // namespace
}  // namespace sockdoc

using sockdoc::init;  // the macro makes a name out of it, so it cannot be qualified
NODE_API_MODULE(sockdoc, init)
