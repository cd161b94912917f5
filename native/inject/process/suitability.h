#pragma once

#include <variant>
#include <vector>

#include "inject/deadline.h"
#include "inject/process/facts.h"
#include "inject/refusal.h"
#include "inject/target/image.h"

namespace sockdoc::inject {

enum class Purpose { attach, detach };

/** A process that can be attached to, or detached, as far as can be told without stopping it. */
struct Suitable {
  ProcessFacts facts;
  Image libc;
  std::optional<Image> libsd;  // where it is mapped, at work or not
};

/** Stops and changes nothing. Waits, until the deadline, only for a thread in uninterruptible sleep. */
std::variant<Suitable, Refusal> judge(pid_t pid, Purpose purpose, const Deadline& deadline);

}  // namespace sockdoc::inject
