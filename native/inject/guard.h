#pragma once

#include <cstdint>
#include <functional>

namespace sockdoc::inject {

/** Of the child, so that who ends injectors by name ends them, and it backs out. At most 15 characters. */
inline constexpr char kTracerName[] = "sockdoc-tracer";

/**
 * Does `work` in a child, out of reach of what kills the process that was started: by kill -9, with its terminal or
 * with its group. That child backs out of what it has begun, as when it is asked to end. Between a thread's stop and
 * its mending no tracer may be missing, and the kernel lets go whatever a tracer that is killed had stopped.
 *
 * Ends what is asked to end: asked_to_end is set in both. The exit status of `work`, or 70 where nobody tells; where a
 * signal has ended it, that ends us too. Without memory for a child it is done here.
 *
 * One that hangs, as at a file whose file system does not answer, is killed: soon after `limit_ms` where it has not
 * begun(), else when it had time to back out. Then the exit status is that of `hangs`. What the child writes to stdout
 * comes out when it has ended: nobody who waits for the end of that waits for a child that cannot be killed.
 */
int guarded(std::int64_t limit_ms, const std::function<int()>& work, const std::function<int()>& hangs);

/** From now on a thread may be held, and there may be something to take back. */
void begun();

}  // namespace sockdoc::inject
