#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sockdoc {

/** A thread that was seen in select() or pselect6(). */
struct SelectSample {
  int pid = 0;
  int tid = 0;
  std::string comm;
  std::int64_t nfds = 0;  // the largest that was seen
  std::uint64_t samples = 0;
};

/**
 * Looks every 20 ms at which system call the threads of a few processes are blocked in, on a thread of its own; less
 * often where there are so many that it would take more than 2 % of a CPU.
 */
class SelectSampler {
 public:
  SelectSampler() = default;
  SelectSampler(const SelectSampler&) = delete;
  SelectSampler& operator=(const SelectSampler&) = delete;
  ~SelectSampler() { stop(); }

  /** Begins anew; with no process nothing is started. */
  void start(std::vector<int> pids);
  /** Ends the thread (at once: it is woken) and returns what it saw. */
  std::vector<SelectSample> stop();

 private:
  void run();
  void sample(int pid);

  std::vector<int> pids_;                                // fixed while the thread runs
  std::map<std::pair<int, int>, SelectSample> samples_;  // of the thread alone while it runs
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
};

}  // namespace sockdoc
