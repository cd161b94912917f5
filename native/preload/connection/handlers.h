#pragma once

namespace sockdoc::preload {

/** What this process's signal handlers do to a call of the kernel that waits. Costs 64 system calls. */
enum class Handlers {
  both,             // which of them ran cannot be told
  restart_calls,    // all of them; or there is none
  interrupt_calls,  // all of them
};
[[nodiscard]] Handlers signal_handlers();

/** Whether a handler ends a send on `fd` that waits and has sent nothing, as far as can be known; others begin again.
 */
[[nodiscard]] bool handlers_end(int fd);

}  // namespace sockdoc::preload
