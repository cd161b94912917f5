#pragma once

#include <optional>
#include <string>

namespace sockdoc::inject {

/** Why a process is left as it is. `code` is for programs and a constant, the others are sentences for people. */
struct [[nodiscard]] Refusal {
  const char* code = "";
  std::string reason;
  std::string next;  // what would help; empty when nothing does
};

/** Nothing: go on. */
using Refused = std::optional<Refusal>;

inline Refusal gone() { return {"gone", "It has ended.", ""}; }

}  // namespace sockdoc::inject
