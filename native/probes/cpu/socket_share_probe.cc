#include "probes/cpu/socket_share_probe.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/json.h"
#include "probes/bpf/kernel.h"
#include "probes/bpf/map.h"

namespace sockdoc {
namespace {

// Some 50 bytes each.
constexpr std::size_t kMaxThreads = 16384;
constexpr const char* kMissing = "share of CPU time in socket calls";

double now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void add_refusal(Gaps& gaps, const Error& error) {
  if (error.code == ENOKEY) return gaps.add({"socket-share", kMissing, error.what, "CAP_SYSLOG", 1});
  if (error.code == ENOSYS || error.code == ENOENT || error.code == EOPNOTSUPP) {
    return gaps.add({"socket-share", kMissing, "kernel without perf events", "", 1});
  }
  gaps.add_errno("socket-share", kMissing, error.code, "CAP_PERFMON and CAP_SYSLOG, or CAP_SYS_ADMIN");
}

}  // namespace

void SocketShareProbe::start(unsigned hertz) {
  const std::scoped_lock lock(calls_);
  if (thread_.joinable()) return;
  refused_.reset();
  if (const Status opened = open(hertz); !opened) {
    refused_ = opened.error();
    rings_.clear();
    return;
  }
  since_ms_ = now_ms();
  thread_ = std::thread([this] { run(); });
}

Status SocketShareProbe::open(unsigned hertz) {
  const auto cpus = bpf::possible_cpus();
  if (!cpus) return cpus.error();
  for (int cpu = 0; cpu < static_cast<int>(*cpus); ++cpu) {
    auto ring = PerfRing::open(cpu, hertz);
    if (ring) {
      rings_.push_back(std::move(*ring));
    } else if (ring.error().code != ENODEV) {  // a CPU that is offline
      return ring.error();
    }
  }
  // After what may be refused: reading all of kallsyms costs 50 ms.
  const auto symbols = kernel_symbols();
  if (!symbols) return symbols.error();
  path_.emplace(**symbols);
  if (!path_->usable()) return Error{ENOKEY, "addresses of /proc/kallsyms are hidden"};
  wake_ = Fd(::eventfd(0, EFD_CLOEXEC));
  if (!wake_.valid()) return errno_error("eventfd");
  return Done{};
}

void SocketShareProbe::stop() {
  const std::scoped_lock lock(calls_);
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
  rings_.clear();
  threads_.clear();
  wake_.reset();
}

void SocketShareProbe::run() {
  std::vector<pollfd> waiting{{wake_.get(), POLLIN, 0}};
  for (const PerfRing& ring : rings_) waiting.push_back({ring.fd(), POLLIN, 0});
  while (true) {
    const int ready = ::poll(waiting.data(), waiting.size(), -1);
    if (ready < 0 && errno != EINTR) return;
    if (waiting[0].revents != 0) return;
    for (pollfd& entry : waiting) {
      if ((entry.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) entry.fd = -1;  // its CPU went offline
    }
    drain();
  }
}

void SocketShareProbe::drain() {
  const std::scoped_lock lock(samples_);
  for (PerfRing& ring : rings_) {
    lost_ += ring.drain([this](const CpuSample& sample) { count(sample); });
  }
}

void SocketShareProbe::count(const CpuSample& sample) {
  const Doing doing = path_->of(sample.chain);
  if (doing == Doing::interrupt) return;
  if (threads_.size() >= kMaxThreads && !threads_.contains(sample.tid)) {
    ++beyond_;
    return;
  }
  ThreadCounts& thread = threads_[sample.tid];
  thread.pid = sample.pid;
  Counts& counts = thread.counts;
  ++counts.samples;
  if (doing != Doing::user) ++counts.kernel;
  if (doing == Doing::socket || doing == Doing::upkeep) ++counts.socket;
  if (doing == Doing::upkeep) ++counts.upkeep;
}

std::unordered_map<std::uint32_t, SocketShareProbe::Counts> SocketShareProbe::by_process() const {
  std::unordered_map<std::uint32_t, Counts> sums;
  for (const auto& [tid, thread] : threads_) {
    Counts& sum = sums[thread.pid];
    sum.samples += thread.counts.samples;
    sum.kernel += thread.counts.kernel;
    sum.socket += thread.counts.socket;
    sum.upkeep += thread.counts.upkeep;
    if (thread.counts.socket == 0) sum.aside += thread.counts.samples;
  }
  return sums;
}

std::string SocketShareProbe::read(const std::vector<int>& pids) {
  const std::scoped_lock lock(calls_);
  Gaps gaps;
  Json json;
  json.begin_object();
  if (refused_) add_refusal(gaps, *refused_);
  if (thread_.joinable()) {
    drain();
    const std::scoped_lock samples(samples_);
    const double now = now_ms();
    json.field("windowMs", now - std::exchange(since_ms_, now)).key("processes").begin_array();
    const auto sums = by_process();
    for (const int pid : pids) {
      const auto found = sums.find(static_cast<std::uint32_t>(pid));
      if (found == sums.end()) continue;
      const Counts& counts = found->second;
      json.begin_object().field("pid", pid).field("samples", counts.samples);
      json.field("kernel", counts.kernel).field("socket", counts.socket).field("upkeep", counts.upkeep);
      json.field("aside", counts.aside).end_object();
    }
    json.end_array();
    threads_.clear();
    if (lost_ > 0)
      gaps.add({"socket-share", "samples", "the kernel had no room for some", "", std::exchange(lost_, 0)});
    if (beyond_ > 0) {
      gaps.add({"socket-share", "samples", "more than " + std::to_string(kMaxThreads) + " threads", "",
                std::exchange(beyond_, 0)});
    }
  }
  json.key("gaps");
  gaps.write(json);
  json.end_object();
  return json.take();
}

}  // namespace sockdoc
