#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstdlib>
#include <cstring>

#include "base/raw.h"
#include "preload/connection/connections.h"
#include "preload/connection/io_uring.h"
#include "preload/connection/spinning.h"
#include "preload/exec/environment.h"
#include "preload/libsd.h"
#include "preload/monitor/link.h"
#include "preload/originals.h"
#include "preload/patch/patcher.h"
#include "preload/readiness/sets.h"
#include "preload/table/table.h"

/* The beginning: which way calls are caught in this process, and why. See libsd.h for what may run when. */
namespace sockdoc::preload {
namespace {

constinit Patcher patcher;
constinit std::span<const Request> requests;
constinit sockdoc_libsd_state status = {SOCKDOC_LIBSD_NOT_STARTED, 0, nullptr, "", 0};

void remember(const Refusal& refusal) {
  status.reason = refusal.what;
  status.name = refusal.name;
  status.error = refusal.error;
}

/** Looks for another copy of this library that is at work. */
int visit(dl_phdr_info* info, std::size_t, void* found) {
  const Image image = Image::of(info->dlpi_addr, {info->dlpi_phdr, info->dlpi_phnum});
  if (!image.valid()) return 0;
  const void* symbol = image.symbol("sockdoc_libsd_status");
  if (symbol == nullptr || symbol == reinterpret_cast<const void*>(sockdoc_libsd_status)) return 0;
  struct sockdoc_libsd_state other = {};
  reinterpret_cast<void (*)(struct sockdoc_libsd_state*)>(const_cast<void*>(symbol))(&other);
  *static_cast<bool*>(found) = other.mode > SOCKDOC_LIBSD_SECOND;
  return other.mode > SOCKDOC_LIBSD_SECOND ? 1 : 0;
}

bool another_copy_works() {
  bool found = false;
  dl_iterate_phdr(visit, &found);
  return found;
}

/** Without /proc and without libc's own word for it, as before main: one thread. */
bool one_thread(const Image& libc) {
  const void* single = libc.symbol("__libc_single_threaded");
  if (single != nullptr && *static_cast<const char*>(single) != 0) return true;
  struct stat tasks = {};
  if (failed(raw(SYS_newfstatat, -100, "/proc/self/task", &tasks, 0))) return single == nullptr;
  return tasks.st_nlink == 3;
}

/**
 * Calls on a socket before the monitor is asked about it: short connections stay on the kernel. An upgrade pays for
 * itself after some 3 round trips between two CPUs and some 60 on one (docs/decisions/0037).
 */
constexpr std::uint64_t kAskAfter = 32;

std::uint64_t number(const char* text, std::uint64_t otherwise) {
  if (text == nullptr || *text < '0' || *text > '9') return otherwise;
  std::uint64_t result = 0;
  for (; *text >= '0' && *text <= '9' && result < 1'000'000'000; text++) {
    result = result * 10 + static_cast<std::uint64_t>(*text - '0');
  }
  return result;
}

void interpose() {
  lead_exports_to(Exports::hooks);
  status.mode = SOCKDOC_LIBSD_INTERPOSED;
}

void start() {
  const Image libc = Image::of_library("libc.so.6");
  if (!libc.valid()) {
    status.mode = SOCKDOC_LIBSD_DISABLED;
    remember({.what = "no libc.so.6 in this process"});
    return lead_exports_to(Exports::libc);
  }
  // Before it is complete nothing can be asked: a connection has to be counted from its first byte.
  monitor_link.configure(std::getenv("SOCKDOC_MONITOR"));
  set_spinning(std::getenv("SOCKDOC_SPIN_US"));
  connections.ask_after(number(std::getenv("SOCKDOC_AFTER_CALLS"), kAskAfter));
  if (!table.start()) {
    status.mode = SOCKDOC_LIBSD_DISABLED;
    remember({.what = "no memory", .error = ENOMEM});
    return lead_exports_to(Exports::libc);
  }
  connections.inherit();
  // Without a monitor no connection ever leaves the kernel, and nobody has to be waited for differently.
  if (monitor_link.wanted()) {
    if (has_liburing()) connections.stop(abi::Reason::io_uring);
    libc_single_threaded = static_cast<const char*>(libc.symbol("__libc_single_threaded"));
    epoll_sets.start();
  }
  requests = requests_for(libc);
  const Refusal refusal = patcher.prepare(requests);
  if (refusal.refused()) {
    remember(refusal);
    return interpose();
  }
  status.entries = static_cast<uint32_t>(patcher.sites().size());
  if (!one_thread(libc)) {
    interpose();
    status.mode = SOCKDOC_LIBSD_PREPARED;
    return remember({.what = "threads run already"});
  }
  sockdoc_libsd_apply();
  if (status.mode != SOCKDOC_LIBSD_PATCHED) interpose();
}

[[gnu::constructor]] void load() {
  sockdoc_resolve_originals();
  const char* disable = std::getenv("SOCKDOC_DISABLE");
  if (disable != nullptr && *disable != 0 && std::strcmp(disable, "0") != 0) {
    status.mode = SOCKDOC_LIBSD_DISABLED;
    remember({.what = "SOCKDOC_DISABLE is set"});
    return lead_exports_to(Exports::libc);
  }
  if (another_copy_works()) {
    status.mode = SOCKDOC_LIBSD_SECOND;
    remember({.what = "another copy is at work"});
    return lead_exports_to(Exports::libc);
  }
  remember_environment();
  start();
}

}  // namespace
}  // namespace sockdoc::preload

using namespace sockdoc::preload;

const char* sockdoc_libsd_version() { return SOCKDOC_VERSION; }

void sockdoc_libsd_status(struct sockdoc_libsd_state* into) { *into = status; }

int sockdoc_libsd_socket(int fd, struct sockdoc_socket_state* into) { return table.read(fd, *into) ? 0 : -1; }

int sockdoc_libsd_apply() {
  const Refusal refusal = patcher.apply();
  if (refusal.refused()) {
    remember(refusal);
    return -1;
  }
  lead_exports_to(Exports::libc, requests);
  remember({});
  status.mode = SOCKDOC_LIBSD_PATCHED;
  return 0;
}

int sockdoc_libsd_undo() {
  const Refusal refusal = patcher.undo();
  if (refusal.refused()) {
    remember(refusal);
    return -1;
  }
  lead_exports_to(Exports::libc);
  status.mode = SOCKDOC_LIBSD_DISABLED;
  remember({.what = "taken back"});
  return 0;
}
