#pragma once

#include <cstdint>
#include <string>

namespace sockdoc {

/** Limits of a process that runs (prlimit(2)). */
struct ProcessLimitRequest {
  int pid = 0;
  /** "nofile", "memlock". */
  std::string resource;
  /** In the unit of the resource; kUnlimited for no limit. */
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

/** Answers as write_answer(): ESRCH for a process that is gone, EPERM for a hard limit above what we may give. */
std::string set_process_limit(const ProcessLimitRequest& request);

}  // namespace sockdoc
