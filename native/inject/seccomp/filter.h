#pragma once

#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <span>

#include "abi/own_calls.h"

/*
 * Filters of system calls, as seccomp(2) takes them: programs of classic BPF that see a call's number and arguments and
 * give an action. Linux runs them for real; here they are asked beforehand.
 */
namespace sockdoc::inject {

/** How a filter answers a call. `unclear`: by what nobody knows before the call is made. */
enum class Answer { allows, fails, ends, unclear };

using Arguments = std::span<const sockdoc_argument, 6>;

/**
 * What `filter` does with call `number` of x86-64. Of all that it may do with arguments that are not known, the worst.
 * To let another process decide (SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE) is `unclear`.
 */
[[nodiscard]] Answer ask_filter(std::span<const sock_filter> filter, int number, Arguments arguments);

}  // namespace sockdoc::inject
