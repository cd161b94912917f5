#include "bench/line_transfer.h"

#include <algorithm>
#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "bench/clock.h"
#include "bench/confine.h"
#include "bench/say.h"

namespace sockdoc::bench {
namespace {

constexpr unsigned kTrips = 32;  // between two looks at the clock
constexpr unsigned kMostBatches = 101;
constexpr unsigned kFewestBatches = 11;
constexpr double kLongestMs = 50;  // a neighbour takes the CPU away in some of them
constexpr std::uint32_t kEnd = ~0u;

struct alignas(128) Line {
  std::atomic<std::uint32_t> word{0};
};

inline void pause_briefly() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#endif
}

/** Answers each odd word with the next even one. */
void answer(Line& line, int cpu) {
  if (!confine_thread({cpu})) return line.word.store(kEnd);
  for (;;) {
    const std::uint32_t seen = line.word.load(std::memory_order_acquire);
    if (seen == kEnd) return;
    if (seen % 2 == 0) {
      pause_briefly();
      continue;
    }
    line.word.store(seen + 1, std::memory_order_release);
  }
}

}  // namespace

Result<double> line_transfer_ns(int first_cpu, int second_cpu) {
  if (const auto there = confine_thread({first_cpu}); !there) return there.error();
  const Clock clock;
  Line line;
  std::thread other(answer, std::ref(line), second_cpu);
  std::vector<double> batches;
  std::uint32_t word = 0;  // even: ours to send
  bool lost = false;
  const std::uint64_t late = clock.now() + clock.ticks_of_ms(kLongestMs);
  while (batches.size() < kMostBatches && !lost) {
    const std::uint64_t start = clock.now();
    if (start > late && batches.size() >= kFewestBatches) break;
    for (unsigned trip = 0; trip < kTrips && !lost; trip++) {
      line.word.store(word + 1, std::memory_order_release);
      std::uint32_t seen = 0;
      while ((seen = line.word.load(std::memory_order_acquire)) == word + 1) pause_briefly();
      lost = seen == kEnd;
      word += 2;
    }
    batches.push_back(clock.ns(static_cast<double>(clock.now() - start)) / kTrips / 2);
  }
  line.word.store(kEnd);
  other.join();
  if (lost) return Error{EINVAL, "CPU " + std::to_string(second_cpu)};
  const auto middle = batches.begin() + static_cast<std::ptrdiff_t>(batches.size() / 2);
  std::nth_element(batches.begin(), middle, batches.end());
  return *middle;
}

Status line_transfer_on_demand(int first_cpu, int second_cpu) {
  for (std::string line; std::getline(std::cin, line);) {
    const auto ns = line_transfer_ns(first_cpu, second_cpu);
    if (!ns) return ns.error();
    say(Json().begin_object().field("lineTransferNs", *ns).end_object());
  }
  return Done{};
}

}  // namespace sockdoc::bench
