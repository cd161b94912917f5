#include "probes/sockets/select_sampler.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/procfs.h"
#include "probes/sockets/system_calls.h"

namespace sockdoc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPeriod = std::chrono::milliseconds(20);
constexpr int kShareOfCpu = 50;  // sleeps 50 times as long as it worked
constexpr int kThreadsPerProcess = 1024;

}  // namespace

void SelectSampler::start(std::vector<int> pids) {
  stop();
  if (pids.empty()) return;
  pids_ = std::move(pids);
  thread_ = std::thread([this] { run(); });
}

std::vector<SelectSample> SelectSampler::stop() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
    stopping_ = false;
  }
  std::vector<SelectSample> seen;
  for (auto& [key, sample] : samples_) seen.push_back(std::move(sample));
  samples_.clear();
  return seen;
}

void SelectSampler::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const auto start = Clock::now();
    for (const int pid : pids_) sample(pid);
    const auto rest = std::max<Clock::duration>(kPeriod, (Clock::now() - start) * kShareOfCpu);
    lock.lock();
    wake_.wait_for(lock, rest, [this] { return stopping_; });
  }
}

void SelectSampler::sample(int pid) {
  char path[48];
  char buffer[256];
  std::snprintf(path, sizeof path, "/proc/%d/task", pid);
  FolderReader folder(AT_FDCWD, path);
  int threads = 0;
  folder.for_each_number([&](const char* name, int tid) {
    if (++threads > kThreadsPerProcess) return;
    std::snprintf(path, sizeof path, "%s/syscall", name);
    const auto text = read_small(folder.fd(), path, buffer);
    const auto call = text ? parse_blocked_call(*text) : std::nullopt;
    if (!call || !is_select(call->number)) return;
    SelectSample& sample = samples_[{pid, tid}];
    if (sample.samples++ == 0) {
      sample.pid = pid;
      sample.tid = tid;
      std::snprintf(path, sizeof path, "%s/comm", name);
      if (const auto comm = read_small(folder.fd(), path, buffer)) sample.comm = comm->substr(0, comm->find('\n'));
    }
    sample.nfds = std::max<std::int64_t>(sample.nfds, static_cast<std::int32_t>(call->arg0));
  });
}

}  // namespace sockdoc
