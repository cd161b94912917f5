#pragma once

#include <vector>

#include "inject/deadline.h"
#include "inject/refusal.h"
#include "inject/visit/visit.h"

namespace sockdoc::inject {

/**
 * Whether the filters of system calls (seccomp(2)) of all threads allow each call that sockdoc makes in the process
 * (abi/own_calls.h). Nothing is stopped where there are none; else each thread that has some stands still for as long
 * as it takes to read them, and goes on as it was; `stops`: the milliseconds for which each did. Who sleeps amid its
 * bytes is waited for, where there is no libsd (`pending`) that could go on with that call, until `with_sleepers`.
 */
Refused judge_filters(const Memory& memory, const EntryPoints& libc, const std::optional<arch::Pending>& pending,
                      const Deadline& deadline, const Deadline& with_sleepers, std::vector<double>& stops);

}  // namespace sockdoc::inject
