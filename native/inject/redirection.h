#pragma once

#include <span>

#include "abi/attach.h"
#include "inject/visit/visit.h"

namespace sockdoc::inject {

/**
 * With all threads stopped: may libc be patched, and if so, leads those that are in a hooked call to `pending`, so that
 * no call is in the kernel that libsd does not know of. "busy-text" when a thread stands where the code would change
 * under it, or will come back there from a signal handler: after a moment it does not.
 */
Refused redirect(Threads& threads, Visit& visit, const Memory& memory, Address restorer,
                 std::span<const sockdoc_attach_site> sites, const arch::Pending& pending);

}  // namespace sockdoc::inject
