#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "monitor/channel.h"
#include "monitor/registry.h"
#include "monitor/token_bucket.h"

namespace sockdoc::monitor {

/**
 * The loop: accepts, reads one message of each that has one, turn by turn, so that nobody's flood is served before
 * others' first request; who asks more often than the policy allows is not listened to until its time has come. Sleeps
 * in epoll_wait without a timeout when there is nothing to do. One thread.
 */
class Daemon {
 public:
  Daemon(int listener, std::string version, Policy policy, std::string policy_path);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /** First: from here on signals are taken and callers are queued. */
  [[nodiscard]] Status prepare();
  /** For tests: this signal for itself before answer `nth` that gives memory is sent. */
  void raise_before(int nth, int signal) { raise_ = {nth, signal}; }
  /** Until SIGTERM, SIGINT or a request to stop. SIGHUP reads the policy again. */
  void run();

 private:
  void turn(int timeout_ms);
  [[nodiscard]] int timeout_ms() const;
  void accept_one();
  void serve(Channel& channel);
  [[nodiscard]] bool may_ask(Channel& channel);
  void resume();
  void watch(Channel& channel);
  void close_broken();
  void on_signal();
  void watch_process(const Process& process);
  void process_ended(int pid);

  [[nodiscard]] static bool on_errand(const Channel& channel) {
    return channel.process != nullptr && channel.process->errand;
  }
  template <typename Which>
  [[nodiscard]] std::size_t count_of(uid_t uid, Which which) const {
    return static_cast<std::size_t>(std::count_if(channels_.begin(), channels_.end(), [&](const auto& entry) {
      return entry.second->uid() == uid && which(*entry.second);
    }));
  }

  void handle(Channel& channel);
  void handle_registered(Channel& channel, const abi::Header& header);
  void hello(Channel& channel, const abi::Hello& request);
  void give_back(Process& process, const abi::GiveBack& request);
  void not_given_back(Process& process, std::uint64_t sequence, abi::Reason reason);
  void status(Channel& channel, std::uint64_t sequence);
  void reload(Channel& channel, std::uint64_t sequence);
  [[nodiscard]] std::string reload_policy();
  void send_text(Channel& channel, std::uint64_t sequence, std::string_view text);
  void refuse(Channel& channel, std::uint64_t sequence, abi::Reason reason, bool ends);
  void post(Process& process, const void* message, std::size_t bytes, int fd);
  void send(Channel& channel, const void* message, std::size_t bytes, int fd);

  int listener_;
  std::string version_;
  std::string policy_path_;
  std::uint64_t instance_;
  std::int64_t started_ns_;
  Registry registry_;
  GiversBack givers_back_;
  Fd epoll_;
  Fd signals_;
  Fd spare_;  // given up for a moment when there are no descriptors left, to turn a caller away
  bool stopping_ = false;
  struct {
    int left = 0;
    int signal = 0;
  } raise_;
  std::unordered_map<int, std::unique_ptr<Channel>> channels_;  // by descriptor
  std::unordered_map<std::uint64_t, Channel*> channel_of_;      // by the process's serial
  std::unordered_map<int, int> pid_of_;                         // by pidfd
  std::map<std::pair<uid_t, pid_t>, TokenBucket> buckets_;
  std::vector<int> ready_;                             // have a message that was read already
  std::vector<std::pair<std::int64_t, int>> waiting_;  // until when, and who
};

}  // namespace sockdoc::monitor
