#include "settings/process_limit.h"

#include <sys/resource.h>

#include "settings/answer.h"

namespace sockdoc {
namespace {

rlim_t limit_of(std::uint64_t value) { return value == kUnlimited ? RLIM_INFINITY : static_cast<rlim_t>(value); }

Status set_limit(const ProcessLimitRequest& request) {
  if (request.resource != "nofile" && request.resource != "memlock") {
    return Error{EINVAL, "no such limit: " + request.resource};
  }
  const auto resource = request.resource == "nofile" ? RLIMIT_NOFILE : RLIMIT_MEMLOCK;
  const rlimit limits{limit_of(request.soft), limit_of(request.hard)};
  if (::prlimit(request.pid, resource, &limits, nullptr) != 0) {
    return errno_error("prlimit of process " + std::to_string(request.pid));
  }
  return Done{};
}

}  // namespace

std::string set_process_limit(const ProcessLimitRequest& request) { return write_answer(set_limit(request)); }

}  // namespace sockdoc
