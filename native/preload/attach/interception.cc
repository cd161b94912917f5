#include "preload/attach/interception.h"

#include <cstdlib>
#include <cstring>

#include "preload/connection/connections.h"
#include "preload/connection/io_uring.h"
#include "preload/originals.h"
#include "preload/readiness/sets.h"
#include "preload/table/table.h"
#include "preload/thread.h"

namespace sockdoc::preload {
namespace {

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

}  // namespace

constinit Interception interception;

void Interception::remember(const Refusal& refusal) {
  status.reason = refusal.what;
  status.name = refusal.name;
  status.error = refusal.error;
}

int Interception::refuse(const Refusal& refusal) {
  remember(refusal);
  return -1;
}

void Interception::interpose() {
  lead_exports_to(Exports::hooks);
  status.mode = SOCKDOC_LIBSD_INTERPOSED;
  table.miss_calls();
}

Refusal Interception::prepare(const Image& libc) {
  // The program may have a copy of it, which libc changes then: the one that all look at is the first.
  const Image first = Image::that_exports("__libc_single_threaded", nullptr);
  libc_single_threaded = static_cast<const char*>((first.valid() ? first : libc).symbol("__libc_single_threaded"));
  if (status.entries != 0) return {};
  requests = requests_for(libc);
  const Refusal refusal = patcher.prepare(requests);
  if (!refusal.refused()) status.entries = static_cast<uint32_t>(patcher.sites().size());
  return refusal;
}

Refusal Interception::patch() {
  const Refusal refusal = patcher.apply();
  if (refusal.refused()) return refusal;
  lead_exports_to(Exports::libc, requests);
  remember({});
  status.mode = SOCKDOC_LIBSD_PATCHED;
  return {};
}

bool disabled_by_environment() {
  const char* disable = std::getenv("SOCKDOC_DISABLE");
  return disable != nullptr && *disable != 0 && std::strcmp(disable, "0") != 0;
}

bool another_copy_works() {
  bool found = false;
  dl_iterate_phdr(visit, &found);
  return found;
}

void prepare_for_rings(const Image& libc) {
  if (has_liburing()) connections.stop(abi::Reason::io_uring);
  prepare_search(libc);
  epoll_sets.start();
}

}  // namespace sockdoc::preload
