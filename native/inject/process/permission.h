#pragma once

#include "inject/process/facts.h"
#include "inject/process/maps.h"
#include "inject/refusal.h"
#include "inject/target/memory.h"

namespace sockdoc::inject {

/**
 * Whether we may trace it. The kernel itself is asked, by a read of its memory (ptrace(2), "Ptrace access mode
 * checking"); who and what it is only explains a no.
 */
Refused may_not_trace(const Memory& memory, const ProcessFacts& facts);

/** Why the kernel says no. */
Refusal explain_denial(pid_t pid, const ProcessFacts& facts);

}  // namespace sockdoc::inject
