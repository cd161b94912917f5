#include <cerrno>
#include <cstring>

#include "preload/attach/interception.h"
#include "preload/attach/stock.h"
#include "preload/connection/connections.h"
#include "preload/connection/spinning.h"
#include "preload/exec/environment.h"
#include "preload/monitor/link.h"
#include "preload/originals.h"
#include "preload/readiness/sets.h"
#include "preload/table/table.h"

/* Into a process that runs already, and out again: see libsd.h for what may run when. */
namespace sockdoc::preload {
namespace {

constexpr char kTakenBack[] = "taken back";

bool terminated(std::span<const char> text) { return std::memchr(text.data(), 0, text.size()) != nullptr; }

Refusal look_at(const sockdoc_attach_config& config) {
  if (config.version != SOCKDOC_ATTACH_VERSION || config.size != sizeof config) {
    return {.what = "the injector is of another version"};
  }
  if (!terminated(config.monitor) || !terminated(config.library)) return {.what = "a path is too long"};
  if (!MonitorLink::fits(config.monitor)) return {.what = "the monitor's path is too long"};
  return {};
}

Refusal look_at_process() {
  const std::uint32_t mode = interception.status.mode;
  if (mode == SOCKDOC_LIBSD_PATCHED || mode == SOCKDOC_LIBSD_INTERPOSED) return {.what = "libsd is at work already"};
  if (disabled_by_environment()) return {.what = "SOCKDOC_DISABLE is set"};
  if (another_copy_works()) return {.what = "another copy is at work"};
  return {};
}

}  // namespace
}  // namespace sockdoc::preload

using namespace sockdoc::preload;

const struct sockdoc_libsd_state* const sockdoc_libsd_present = &interception.status;

int sockdoc_libsd_attach(const struct sockdoc_attach_config* config) {
  interception.status.leaving = 0;
  if (interception.status.mode == SOCKDOC_LIBSD_PATCHED && connections.stay_after_all()) return 0;
  Refusal refusal = look_at(*config);
  if (!refusal.refused()) refusal = look_at_process();
  if (refusal.refused()) return interception.refuse(refusal);
  const Image libc = Image::of_library("libc.so.6");
  if (!libc.valid()) return interception.refuse({.what = "no libc.so.6 in this process"});
  if (!table.start()) return interception.refuse({.what = "no memory", .error = ENOMEM});
  const bool by_tracer = (config->flags & SOCKDOC_ATTACH_BY_TRACER) != 0;
  interception.patcher.write_by(by_tracer ? Writer::tracer : Writer::own);
  if (refusal = interception.prepare(libc); refusal.refused()) return interception.refuse(refusal);
  monitor_link.configure(config->monitor);
  config->spin_us == SOCKDOC_ATTACH_SPIN_DEFAULT ? set_spinning_by_default() : set_spinning_us(config->spin_us);
  monitor_link.begin_anew();
  connections.begin(config->after_calls == 0 ? kAskAfter : config->after_calls);
  // Until apply(): were a tracer killed between two entries, only some calls would arrive.
  connections.hold();
  keep_environment(*config);
  if (monitor_link.wanted()) prepare_for_rings(libc);
  interception.status.mode = SOCKDOC_LIBSD_PREPARED;
  interception.remember({.what = "somebody has to stop the threads"});
  return 0;
}

uint32_t sockdoc_libsd_sites(struct sockdoc_attach_site* into, uint32_t room) {
  const std::span<const Site> sites = interception.patcher.sites();
  for (std::size_t i = 0; i < sites.size() && i < room; i++) {
    const Site& site = sites[i];
    into[i] = {};
    into[i].at = reinterpret_cast<std::uintptr_t>(site.at);
    into[i].displaced = site.displaced;
    into[i].syscall_inside = site.syscall_inside ? 1 : 0;
    std::memcpy(into[i].before, site.before, sizeof site.before);
    std::memcpy(into[i].after, site.after, sizeof site.after);
    into[i].trampoline = reinterpret_cast<std::uintptr_t>(site.trampoline);
  }
  return static_cast<uint32_t>(sites.size());
}

void sockdoc_libsd_code(struct sockdoc_attach_code* into) {
  const std::span<const std::uint8_t> code = interception.patcher.code();
  into->at = reinterpret_cast<std::uintptr_t>(interception.patcher.place());
  into->from = reinterpret_cast<std::uintptr_t>(code.data());
  into->bytes = code.size();
}

int sockdoc_libsd_apply(const int32_t* own_sets, uint32_t count) {
  const std::uint32_t mode = interception.status.mode;
  if (mode == SOCKDOC_LIBSD_PATCHED) return 0;
  const bool ready = mode == SOCKDOC_LIBSD_PREPARED || interception.status.reason == kTakenBack;
  if (!ready) return interception.refuse({.what = "nothing was prepared"});
  take_stock({own_sets, count});
  const Refusal refusal = interception.patch();
  if (refusal.refused()) return interception.refuse(refusal);
  if (mode == SOCKDOC_LIBSD_PREPARED) (void)connections.stay_after_all();
  return 0;
}

int sockdoc_libsd_leave(uint32_t* left) {
  interception.status.leaving = 1;
  *left = connections.leave();
  return 0;
}

uint32_t sockdoc_libsd_kept(struct sockdoc_attach_kept* into, uint32_t room) { return connections.kept({into, room}); }

int sockdoc_libsd_undo() {
  if (connections.left() != 0 || !connections.send_alone())
    return interception.refuse({.what = "a connection is not back on the kernel"});
  const Refusal refusal = interception.patcher.undo();
  if (refusal.refused()) return interception.refuse(refusal);
  lead_exports_to(Exports::libc);
  forget_environment();
  epoll_sets.stop();
  connections.end();
  monitor_link.end();
  table.look_no_more();
  interception.status.leaving = 0;
  interception.status.mode = SOCKDOC_LIBSD_DISABLED;
  interception.remember({.what = kTakenBack});
  return 0;
}
