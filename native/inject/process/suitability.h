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
std::variant<Suitable, Refusal> judge(const Memory& memory, Purpose purpose, const Deadline& deadline);

/** Whether `socket`, a monitor's that we see, is the same for the process: it may have another mount namespace. */
Refused judge_monitor(pid_t pid, const std::string& socket);

}  // namespace sockdoc::inject
