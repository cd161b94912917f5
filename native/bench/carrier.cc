#include "bench/carrier.h"

#include <dlfcn.h>

#include "abi/reasons.h"
#include "preload/libsd.h"

namespace sockdoc::bench {
namespace {

using Ask = int (*)(int, struct sockdoc_socket_state*);

/** libsd is a library that LD_PRELOAD brought, or did not. */
Ask libsd() {
  static const auto ask = reinterpret_cast<Ask>(::dlsym(RTLD_DEFAULT, "sockdoc_libsd_socket"));
  return ask;
}

}  // namespace

std::optional<Carried> carried(int fd) {
  if (libsd() == nullptr) return std::nullopt;
  struct sockdoc_socket_state state = {};
  if (libsd()(fd, &state) != 0) return Carried{.reason = "libsd does not know the socket"};
  Carried result;
  result.mapped = state.mapped != 0;
  result.by_ring = state.sends_by_ring != 0 && state.receives_by_ring != 0;
  result.bytes = state.sent + state.received;
  result.ring_bytes = state.ring_sent + state.ring_received;
  if (state.reason != 0) result.reason = abi::reason_text(static_cast<abi::Reason>(state.reason));
  return result;
}

}  // namespace sockdoc::bench
