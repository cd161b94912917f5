#pragma once

#include "base/result.h"

namespace sockdoc::bench {

/**
 * How long a cache line takes from one CPU to the other, in nanoseconds: half of the median round trip of a word that
 * two threads pass to and fro. What shared memory can do at best on this machine, and it differs from minute to minute
 * on a virtual one.
 */
[[nodiscard]] Result<double> line_transfer_ns(int first_cpu, int second_cpu);

/** The same for every line of stdin, on a line of stdout, until it ends. */
[[nodiscard]] Status line_transfer_on_demand(int first_cpu, int second_cpu);

}  // namespace sockdoc::bench
