#pragma once

namespace sockdoc::preload {

/** What this process's signal handlers do to a call of the kernel that waits. Costs 64 system calls. */
enum class Handlers {
  both,             // which of them ran cannot be told
  restart_calls,    // all of them; or there is none
  interrupt_calls,  // all of them
};
[[nodiscard]] Handlers signal_handlers();

}  // namespace sockdoc::preload
