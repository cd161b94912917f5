#include <atomic>
#include <cstdio>
#include <string>

#include "base/json.h"
#include "bench/confine.h"
#include "bench/line_transfer.h"
#include "bench/measure.h"
#include "bench/say.h"
#include "bench/serve.h"
#include "bench/starting.h"

// The part of `sockdoc bench` that is measured, and what starts others for it:
//
// sockdoc-bench serve ADDRESS     answers messages; ADDRESS is tcp:PORT or unix:PATH
// sockdoc-bench ask ADDRESS       measures, as orders on stdin say
// sockdoc-bench line CPU,CPU      how long a cache line takes between two CPUs, for each line of stdin
// sockdoc-bench start COMMAND…    how long a program takes from its start to its end
// sockdoc-bench busy              does nothing else than taking a CPU
// sockdoc-bench with CPU,… COMMAND…   the command on these CPUs ("any": on all), killed when we are orphaned
//
// Every answer is a JSON document on a line of stdout; an error has {"error", "errno"} and status 1.

namespace {

using namespace sockdoc;
using namespace sockdoc::bench;

constexpr int kUsage = 2;

int ended(const Status& status) {
  if (status) return 0;
  say(status.error());
  return 1;
}

int at_address(const std::string& role, const std::string& text) {
  const auto address = parse_address(text);
  if (!address) return ended(address.error());
  return ended(role == "serve" ? serve(*address) : measure_on_demand(*address));
}

int line(const std::string& text) {
  const auto cpus = parse_cpus(text);
  if (!cpus) return ended(cpus.error());
  if (cpus->size() != 2) return ended(Error{EINVAL, "two CPUs were expected"});
  return ended(line_transfer_on_demand((*cpus)[0], (*cpus)[1]));
}

/** Until it is ended. */
int busy() {
  say(Json().begin_object().field("ready", true).end_object());
  for (;;) std::atomic_signal_fence(std::memory_order_seq_cst);  // without it the loop may be left out
}

int with(const std::string& text, std::span<char* const> command) {
  end_with_parent();
  if (text != "any") {
    const auto cpus = parse_cpus(text);
    if (!cpus) return ended(cpus.error());
    if (const auto there = confine_thread(*cpus); !there) return ended(there);
  }
  return ended(become(command));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = argc > 1 ? argv[1] : "";
  if (argc == 3 && (role == "serve" || role == "ask")) return at_address(role, argv[2]);
  if (argc == 3 && role == "line") return line(argv[2]);
  if (argc == 2 && role == "busy") return busy();
  if (argc > 2 && role == "start") return ended(start_on_demand({argv + 2, static_cast<std::size_t>(argc) - 1}));
  // Up to and with the null behind the last argument.
  if (argc > 3 && role == "with") return with(argv[2], {argv + 3, static_cast<std::size_t>(argc) - 2});
  std::fputs("sockdoc-bench: a part of sockdoc bench, not for use by itself\n", stderr);
  return kUsage;
}
