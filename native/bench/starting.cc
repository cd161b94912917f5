#include "bench/starting.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <iostream>
#include <string>

#include "base/procfs.h"
#include "bench/clock.h"
#include "bench/histogram.h"
#include "bench/say.h"

namespace sockdoc::bench {
namespace {

/** Its stderr stays ours: a loader that cannot preload a library says so there. */
class Silence {
 public:
  Silence() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions_, 1, "/dev/null", O_WRONLY, 0);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() { ::posix_spawn_file_actions_destroy(&actions_); }

  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

Status start_and_wait(std::span<char* const> command, const Silence& silence) {
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, command[0], silence.get(), nullptr, command.data(), environ);
  if (failed != 0) return Error{failed, command[0]};
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return errno_error("waitpid");
  }
  if (status != 0) return Error{ECHILD, std::string(command[0]) + " failed"};
  return Done{};
}

Result<Json> starts(std::span<char* const> command, double ms) {
  const Silence silence;
  Histogram ns;
  const auto length = static_cast<std::uint64_t>(ms * 1e6);
  const std::uint64_t begun = Clock::monotonic_ns();
  for (std::uint64_t before = begun; before - begun < length;) {
    if (const auto good = start_and_wait(command, silence); !good) return good.error();
    const std::uint64_t now = Clock::monotonic_ns();
    ns.add(now - before);
    before = now;
  }
  Json json;
  json.begin_object().field("count", ns.count()).field("p50", ns.percentile(0.5));
  json.field("p99", ns.percentile(0.99)).field("mean", ns.mean());
  return json.end_object();
}

}  // namespace

Status start_on_demand(std::span<char* const> command) {
  say(Json().begin_object().field("ready", true).end_object());
  for (std::string line; std::getline(std::cin, line);) {
    const auto ms = parse_number<std::uint32_t>(line);
    if (!ms) return Error{EINVAL, line};
    const auto sample = starts(command, *ms);
    if (!sample) return sample.error();
    say(*sample);
  }
  return Done{};
}

}  // namespace sockdoc::bench
