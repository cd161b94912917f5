#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "monitor/policy.h"

namespace sockdoc::monitor {

/** A mistake in a policy, where it is, and what belongs there. Lines and columns count from 1, columns in bytes. */
struct PolicyError {
  int line = 1;
  int column = 1;
  std::string message;
  std::string expected;
};

struct ParsedPolicy {
  Policy policy;
  std::vector<PolicyError> errors;  // at most 20; not empty: the policy is of no use
};

/** The language is described in docs/policy.md. */
ParsedPolicy parse_policy(std::string_view text);

/** Reads and parses a file. One that others than root and the reader may change is an error too (line 0). */
ParsedPolicy read_policy(const std::string& path);

/** "FILE:LINE:COLUMN: what is wrong (expected: what belongs there)"; without a place where it is the file as a whole.
 */
std::string error_line(const std::string& path, const PolicyError& error);

}  // namespace sockdoc::monitor
