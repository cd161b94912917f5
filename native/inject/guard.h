#pragma once

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
 */
int guarded(const std::function<int()>& work);

}  // namespace sockdoc::inject
