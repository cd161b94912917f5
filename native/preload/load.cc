#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstdlib>
#include <cstring>

#include "base/raw.h"
#include "preload/attach/interception.h"
#include "preload/connection/connections.h"
#include "preload/connection/spinning.h"
#include "preload/exec/environment.h"
#include "preload/libsd.h"
#include "preload/monitor/link.h"
#include "preload/originals.h"
#include "preload/table/table.h"

/* The beginning, in a program that is started with libsd. See libsd.h for what may run when. */
namespace sockdoc::preload {
namespace {

/** Without /proc and without libc's own word for it, as before main: one thread. */
bool one_thread(const Image& libc) {
  const void* single = libc.symbol("__libc_single_threaded");
  if (single != nullptr && *static_cast<const char*>(single) != 0) return true;
  struct stat tasks = {};
  if (failed(raw(SYS_newfstatat, -100, "/proc/self/task", &tasks, 0))) return single == nullptr;
  return tasks.st_nlink == 3;
}

struct Order {
  bool libc_came = false;
  bool behind_libc = false;
};

int visit(dl_phdr_info* info, std::size_t, void* argument) {
  auto* order = static_cast<Order*>(argument);
  const Image image = Image::of(info->dlpi_addr, {info->dlpi_phdr, info->dlpi_phnum});
  if (!image.valid()) return 0;
  if (image.symbol("sockdoc_libsd_status") == reinterpret_cast<const void*>(sockdoc_libsd_status)) {
    order->behind_libc = order->libc_came;
    return 1;
  }
  order->libc_came = order->libc_came || std::strcmp(image.soname(), "libc.so.6") == 0;
  return 0;
}

/** By dlopen(): the loader lists objects as they came, and what is preloaded before what the program needs. */
bool came_late() {
  Order order;
  dl_iterate_phdr(visit, &order);
  return order.behind_libc;
}

std::uint64_t number(const char* text, std::uint64_t otherwise) {
  if (text == nullptr || *text < '0' || *text > '9') return otherwise;
  std::uint64_t result = 0;
  for (; *text >= '0' && *text <= '9' && result < 1'000'000'000; text++) {
    result = result * 10 + static_cast<std::uint64_t>(*text - '0');
  }
  return result;
}

void stay_out(std::uint32_t mode, const Refusal& why) {
  interception.status.mode = mode;
  interception.remember(why);
  lead_exports_to(Exports::libc);
}

void start() {
  const Image libc = Image::of_library("libc.so.6");
  if (!libc.valid()) return stay_out(SOCKDOC_LIBSD_DISABLED, {.what = "no libc.so.6 in this process"});
  // Before it is complete nothing can be asked: a connection has to be counted from its first byte.
  monitor_link.configure(std::getenv("SOCKDOC_MONITOR"));
  set_spinning(std::getenv("SOCKDOC_SPIN_US"));
  connections.ask_after(number(std::getenv("SOCKDOC_AFTER_CALLS"), kAskAfter));
  if (!table.start()) return stay_out(SOCKDOC_LIBSD_DISABLED, {.what = "no memory", .error = ENOMEM});
  table.take_stock_of_all();
  connections.inherit();
  // Without a monitor no connection ever leaves the kernel, and nobody has to be waited for differently.
  if (monitor_link.wanted()) prepare_for_rings(libc);
  Refusal refusal = interception.prepare(libc);
  if (refusal.refused()) {
    interception.remember(refusal);
    return interception.interpose();
  }
  if (!one_thread(libc)) {
    interception.interpose();
    interception.status.mode = SOCKDOC_LIBSD_PREPARED;
    return interception.remember({.what = "threads run already"});
  }
  refusal = interception.patch();
  if (!refusal.refused()) return;
  interception.remember(refusal);
  interception.interpose();
}

[[gnu::constructor]] void load() {
  sockdoc_resolve_originals();
  if (came_late()) return lead_exports_to(Exports::libc);
  if (disabled_by_environment()) return stay_out(SOCKDOC_LIBSD_DISABLED, {.what = "SOCKDOC_DISABLE is set"});
  if (another_copy_works()) return stay_out(SOCKDOC_LIBSD_SECOND, {.what = "another copy is at work"});
  remember_environment();
  remember_variables(environ);
  start();
}

}  // namespace
}  // namespace sockdoc::preload

using namespace sockdoc::preload;

const char* sockdoc_libsd_version() { return SOCKDOC_VERSION; }

void sockdoc_libsd_status(struct sockdoc_libsd_state* into) { *into = interception.status; }

int sockdoc_libsd_socket(int fd, struct sockdoc_socket_state* into) { return table.read(fd, *into) ? 0 : -1; }
