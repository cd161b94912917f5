#include "preload/connection/handlers.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <csignal>
#include <cstdint>

#include "base/raw.h"
#include "preload/connection/cut_short.h"

namespace sockdoc::preload {

Handlers signal_handlers() {
  struct {
    std::uint64_t handler, flags, restorer, mask;
  } action;
  bool restart = false;
  bool interrupt = false;
  for (int signal = 1; signal <= 64; signal++) {
    if (failed(raw(SYS_rt_sigaction, signal, nullptr, &action, 8))) continue;
    if (action.handler <= 1) continue;  // SIG_DFL, SIG_IGN
    ((action.flags & SA_RESTART) != 0 ? restart : interrupt) = true;
  }
  if (restart && interrupt) return Handlers::both;
  return interrupt ? Handlers::interrupt_calls : Handlers::restart_calls;
}

bool handlers_end(int fd) {
  const auto limit = option<timeval>(fd, SO_SNDTIMEO);
  return limit.tv_sec != 0 || limit.tv_usec != 0 || signal_handlers() != Handlers::restart_calls;
}

}  // namespace sockdoc::preload
