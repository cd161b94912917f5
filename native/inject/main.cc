#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <climits>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/output.h"
#include "inject/guard.h"
#include "inject/job.h"
#include "inject/kept.h"

// sockdoc-inject attach PID --library PATH [--monitor SOCKET] [--after-calls N] [--spin-us N] [--timeout-ms N]
//                       [--dry-run]
// sockdoc-inject detach PID [--timeout-ms N] [--dry-run]
//
// One process, so that nothing of it is held longer than for its own sake: what a tracer holds goes on when that ends.
//
// Prints one JSON document (docs/attach.md). Exit code 0 when it did, 2 for wrong use, 70 when it could not.

namespace {

using namespace sockdoc;
using namespace sockdoc::inject;

constexpr int kUsage = 2;
constexpr int kInternal = 70;
constexpr std::int64_t kMostMs = 3'600'000;

struct Command {
  Job job;
  pid_t pid = 0;
};

template <typename T>
bool number(std::string_view text, T& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size();
}

/** The value of `name` into the job. False when there is no such option, or it is no such value. */
bool take(Job& job, std::string_view name, const char* value) {
  if (name == "--library") {
    char resolved[PATH_MAX];
    if (::realpath(value, resolved) == nullptr) return false;
    job.library = resolved;
    return true;
  }
  if (name == "--monitor") {
    job.monitor = value;
    return true;
  }
  if (name == "--after-calls") return number(value, job.after_calls);
  if (name == "--spin-us") return number(value, job.spin_us);
  if (name == "--timeout-ms") return number(value, job.timeout_ms) && job.timeout_ms > 0 && job.timeout_ms <= kMostMs;
  if (name == "--end-at") return number(value, job.end_at);
  return false;
}

std::optional<Command> parse(int argc, char** argv) {
  if (argc < 3) return std::nullopt;
  Command command;
  const std::string_view verb = argv[1];
  if (verb != "attach" && verb != "detach") return std::nullopt;
  command.job.purpose = verb == "attach" ? Purpose::attach : Purpose::detach;
  for (int i = 2; i < argc; i++) {
    const std::string_view word = argv[i];
    if (word == "--dry-run") {
      command.job.dry_run = true;
    } else if (word.starts_with("--")) {
      if (i + 1 == argc || !take(command.job, word, argv[++i])) return std::nullopt;
    } else if (command.pid != 0 || !::number(word, command.pid) || command.pid <= 0) {
      return std::nullopt;
    }
  }
  const bool lacks_library =
      command.job.purpose == Purpose::attach && !command.job.dry_run && command.job.library.empty();
  if (command.pid == 0 || lacks_library) return std::nullopt;
  return command;
}

void write_sets(Json& json, const EpollSets& sets) {
  json.begin_object();
  if (sets.unclear.empty()) json.field("count", sets.count).field("own", std::uint64_t{sets.own.size()});
  if (!sets.unclear.empty()) json.field("unclear", sets.unclear);
  json.end_object();
}

void write_outcome(Json& json, const Outcome& outcome, const Job& job) {
  const char* done = job.purpose == Purpose::attach ? "attached" : "detached";
  const char* state = outcome.refusal ? "refused" : job.dry_run ? "ready" : done;
  json.begin_object().field("pid", outcome.pid).field("comm", outcome.comm).field("state", std::string_view(state));
  if (outcome.refusal) {
    json.field("code", std::string_view(outcome.refusal->code)).field("reason", outcome.refusal->reason);
    if (!outcome.refusal->next.empty()) json.field("next", outcome.refusal->next);
    if (!outcome.kept.empty()) write_kept(json.field("keptCount", outcome.kept_count), outcome.kept);
  }
  double sum = 0;
  for (const double stop : outcome.stops) sum += stop;
  if (!outcome.stops.empty()) {
    json.field("stoppedMs", sum).field("allStoppedMs", outcome.all_stopped).key("stops").begin_array();
    for (const double stop : outcome.stops) json.value(stop);
    json.end_array();
  }
  if (outcome.sets && !outcome.refusal) write_sets(json.key("sets"), *outcome.sets);
  json.end_object();
}

/** What others wait for meanwhile should not wait for the processor. Only root gets all of it. */
void hurry() {
  constexpr unsigned long kSlackNs = 1000;
  ::prctl(PR_SET_TIMERSLACK, kSlackNs);
  ::setpriority(PRIO_PROCESS, 0, -20);
}

int run(const Command& command) {
  hurry();
  Json json;
  json.begin_object().field("version", 1u).key("process");
  const auto work = command.job.purpose == Purpose::attach ? attach : detach;
  write_outcome(json, work(command.pid, command.job), command.job);
  json.end_object();
  return write_all(STDOUT_FILENO, json.text() + "\n") ? 0 : kInternal;
}

/** The tracer did not come back from the kernel, and is killed. */
int run_in_vain(const Command& command) {
  Json json;
  json.begin_object().field("version", 1u).key("process");
  write_outcome(json, hung(command.pid), command.job);
  json.end_object();
  return write_all(STDOUT_FILENO, json.text() + "\n") ? 0 : kInternal;
}

int run_and_report(const Command& command) {
  try {
    return run(command);
  } catch (const std::exception& fault) {
    write_all(STDERR_FILENO, std::string("sockdoc-inject: ") + fault.what() + "\n");
    return kInternal;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto command = parse(argc, argv);
  if (!command) {
    write_all(STDERR_FILENO,
              "Usage: sockdoc-inject attach PID --library PATH [--monitor SOCKET] [--after-calls N] [--spin-us N] "
              "[--timeout-ms N] [--dry-run]\n"
              "       sockdoc-inject detach PID [--timeout-ms N] [--dry-run]\n");
    return kUsage;
  }
  ::signal(SIGPIPE, SIG_IGN);
  return guarded(
      command->job.timeout_ms, [&] { return run_and_report(*command); }, [&] { return run_in_vain(*command); });
}
