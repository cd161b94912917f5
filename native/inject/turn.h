#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "inject/deadline.h"
#include "inject/refusal.h"

namespace sockdoc::inject {

/**
 * One injector at a time works on a process: a second one waits for its turn, and finds the process as the first one
 * leaves it. By flock(2) of the process's folder in /proc, which needs no file and ends with who has it. Between
 * injectors that see different /proc there is no order: one of them is told of the other as a tracer.
 */
class Turn {
 public:
  /** Refused where the other one is not done at `deadline`: who it is, and what it does. */
  static Refused await(pid_t pid, const Deadline& deadline, Turn& into);

 private:
  Fd folder_;
};

}  // namespace sockdoc::inject
