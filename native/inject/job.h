#pragma once

#include <string>
#include <vector>

#include "abi/attach.h"
#include "inject/process/epoll_sets.h"
#include "inject/process/suitability.h"
#include "inject/refusal.h"

namespace sockdoc::inject {

/** What is to be done, with each of the processes. */
struct Job {
  Purpose purpose = Purpose::attach;
  std::string library;  // libsd.so
  std::string monitor;  // the monitor's socket, as the processes see it
  std::uint64_t after_calls = 0;
  std::uint32_t spin_us = ~0U;  // ~0: libsd's own
  std::int64_t timeout_ms = 5000;
  bool dry_run = false;
  int end_at = 0;  // for tests: the step before which the injector is killed
};

/** How it went with one. */
struct Outcome {
  pid_t pid = 0;
  std::string comm;
  Refused refusal;
  std::vector<double> stops;              // milliseconds, each time that a thread or all of them were held
  double all_stopped = 0;                 // of these, the last time that all were
  std::optional<EpollSets> sets;          // that it had when libsd came
  bool leaving = false;                   // on the way back: libsd was told to leave
  bool late = false;                      // and could not in time, for what it said at last:
  std::vector<sockdoc_attach_kept> kept;  // the first of them
  std::uint64_t kept_count = 0;
};

/** Either as wanted, or as it was before. */
Outcome attach(pid_t pid, const Job& job);
Outcome detach(pid_t pid, const Job& job);
/** Of one that was given up on. */
Outcome hung(pid_t pid);

/**
 * The steps, in order. Tests kill the injector before each of them (`end_at`): whichever it is, the target goes on, and
 * can be attached afterwards.
 */
enum class Step {
  judged = 1,
  at_safe_point,
  entered,    // memory for calls is mapped
  file_made,  // the library's memory file
  file_written,
  loaded,
  prepared,  // sockdoc_libsd_attach(); on the way back sockdoc_libsd_leave()
  all_stopped,
  redirected,
  half_patched,  // only some of the entries lead to libsd
  patched,       // sockdoc_libsd_apply(); on the way back sockdoc_libsd_undo()
  left,          // the memory is unmapped, all go on
};
inline constexpr int kSteps = static_cast<int>(Step::left);
void reach(Step step, const Job& job);

}  // namespace sockdoc::inject
