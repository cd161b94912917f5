#include "monitor/daemon.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "monitor/clock.h"

namespace sockdoc::monitor {
namespace {

constexpr std::int64_t kHelloNs = 10'000'000'000;  // for a caller to say who it is
constexpr std::size_t kStrangers = 64;             // callers of one user who have not said it yet
constexpr std::uint64_t kCallsPerSecond = 500;     // new connections of one user
constexpr int kEvents = 64;

std::uint64_t random_instance() {
  std::uint32_t number = 0;
  // The time serves as well where there is no randomness yet: it only has to differ from run to run.
  if (::getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number) {
    number = static_cast<std::uint32_t>(monotonic_ns());
  }
  return number | 1u;
}

enum class Kind : std::uint32_t { listener, signals, channel, process, givers_back };

bool gives_memory(const void* message, std::size_t bytes) {
  abi::Answer answer;
  if (bytes != sizeof answer) return false;
  std::memcpy(&answer, message, sizeof answer);
  return answer.header.type == abi::MessageType::answer && answer.outcome == abi::Outcome::shared;
}

std::uint64_t tag(Kind kind, int fd) { return static_cast<std::uint64_t>(kind) << 32 | static_cast<std::uint32_t>(fd); }

}  // namespace

Daemon::Daemon(int listener, std::string version, Policy policy, std::string policy_path)
    : listener_(listener),
      version_(std::move(version)),
      policy_path_(std::move(policy_path)),
      instance_(random_instance()),
      started_ns_(monotonic_ns()),
      registry_(instance_, std::move(policy), [this](Process& process, const void* message, std::size_t bytes, int fd) {
        post(process, message, bytes, fd);
      }) {}

Daemon::~Daemon() = default;

Status Daemon::prepare() {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return errno_error("epoll_create1");
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&wanted, signal);
  ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
  signals_ = Fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return errno_error("signalfd");
  spare_ = Fd(::dup(epoll_.get()));
  epoll_event event{EPOLLIN, {.u64 = tag(Kind::listener, listener_)}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_, &event) != 0) return errno_error("epoll_ctl");
  event.data.u64 = tag(Kind::givers_back, givers_back_.fd());
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, givers_back_.fd(), &event) != 0) return errno_error("epoll_ctl");
  event.data.u64 = tag(Kind::signals, signals_.get());
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.get(), &event) != 0) return errno_error("epoll_ctl");
  return Done{};
}

void Daemon::run() {
  while (!stopping_) turn(timeout_ms());
}

int Daemon::timeout_ms() const {
  if (!ready_.empty()) return 0;
  std::int64_t due = -1;
  for (const auto& [until, fd] : waiting_) due = due < 0 ? until : std::min(due, until);
  for (const auto& [fd, channel] : channels_) {
    if (channel->process == nullptr)
      due = due < 0 ? channel->opened_ns + kHelloNs : std::min(due, channel->opened_ns + kHelloNs);
  }
  if (due < 0) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, due - monotonic_ns()) / 1'000'000 + 1);
}

void Daemon::turn(int timeout) {
  epoll_event events[kEvents];
  const int count = ::epoll_wait(epoll_.get(), events, kEvents, timeout);
  resume();
  std::vector<int> turn_of;
  turn_of.swap(ready_);
  for (int i = 0; i < count; ++i) {
    const auto kind = static_cast<Kind>(events[i].data.u64 >> 32);
    const int fd = static_cast<int>(static_cast<std::uint32_t>(events[i].data.u64));
    if (kind == Kind::listener) accept_one();
    if (kind == Kind::signals) on_signal();
    if (kind == Kind::givers_back) {
      for (const auto& [asking, sequence] : givers_back_.refused()) {
        Process* process = registry_.by_serial(asking);
        if (process != nullptr) not_given_back(*process, sequence, abi::Reason::not_visible);
      }
    }
    if (kind == Kind::process) {
      if (const auto found = pid_of_.find(fd); found != pid_of_.end()) process_ended(found->second);
    }
    if (kind != Kind::channel) continue;
    const auto found = channels_.find(fd);
    if (found == channels_.end()) continue;
    Channel& channel = *found->second;
    if ((events[i].events & EPOLLOUT) != 0 && !channel.flush()) channel.broken = true;
    if ((events[i].events & EPOLLOUT) != 0) watch(channel);
    const bool readable = (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    if (readable && std::find(turn_of.begin(), turn_of.end(), fd) == turn_of.end()) turn_of.push_back(fd);
  }
  for (const int fd : turn_of) {
    if (const auto found = channels_.find(fd); found != channels_.end()) serve(*found->second);
  }
  close_broken();
}

void Daemon::accept_one() {
  Fd fd(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid() && (errno == EMFILE || errno == ENFILE)) {
    spare_.reset();
    Fd(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)).reset();
    spare_ = Fd(::dup(epoll_.get()));
    return;
  }
  ucred peer{};
  socklen_t length = sizeof peer;
  if (!fd.valid() || ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return;
  const std::int64_t now = monotonic_ns();
  std::erase_if(buckets_, [&](const auto& entry) { return entry.second.full(now); });
  auto& calls = buckets_.try_emplace({peer.uid, 0}, kCallsPerSecond, now).first->second;
  const std::size_t strangers = count_of(peer.uid, [](const Channel& channel) { return channel.process == nullptr; });
  if (!calls.take(now) || strangers >= kStrangers) return;
  const int number = fd.get();
  auto channel = std::make_unique<Channel>(std::move(fd), peer.uid);
  channel->opened_ns = now;
  channel->interest = EPOLLIN;
  epoll_event event{EPOLLIN, {.u64 = tag(Kind::channel, number)}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, number, &event) == 0) channels_[number] = std::move(channel);
}

/** At most one message. */
void Daemon::serve(Channel& channel) {
  if (channel.broken || channel.waiting) return;
  const Channel::State state = channel.read();
  if (state == Channel::State::closed) channel.broken = true;
  if (state != Channel::State::message) return;
  if (!may_ask(channel)) return;
  handle(channel);
  channel.drop();
  if (channel.has_more()) ready_.push_back(channel.fd());
}

/** Who has asked too often is put aside: its further requests fill its own socket until it blocks. */
bool Daemon::may_ask(Channel& channel) {
  const std::int64_t now = monotonic_ns();
  const std::pair key{channel.sender().uid, channel.sender().pid};
  auto& bucket = buckets_.try_emplace(key, registry_.policy().limits.requests, now).first->second;
  if (bucket.take(now)) return true;
  channel.waiting = true;
  waiting_.emplace_back(now + bucket.wait_ns(now), channel.fd());
  watch(channel);
  return false;
}

void Daemon::resume() {
  if (waiting_.empty()) return;
  const std::int64_t now = monotonic_ns();
  std::erase_if(waiting_, [&](const auto& entry) {
    if (entry.first > now) return false;
    if (const auto found = channels_.find(entry.second); found != channels_.end()) {
      found->second->waiting = false;
      watch(*found->second);
      ready_.push_back(entry.second);
    }
    return true;
  });
}

void Daemon::watch(Channel& channel) {
  const std::uint32_t interest = (channel.waiting ? 0u : EPOLLIN) | (channel.kept() ? EPOLLOUT : 0u);
  if (interest == channel.interest) return;
  channel.interest = interest;
  epoll_event event{interest, {.u64 = tag(Kind::channel, channel.fd())}};
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, channel.fd(), &event);
}

/** The process stays known: it may be executing another program, whose libsd registers again. An errand has ended. */
void Daemon::close_broken() {
  const std::int64_t now = monotonic_ns();
  std::vector<Process*> errands;
  std::erase_if(channels_, [&](const auto& entry) {
    const Channel& channel = *entry.second;
    const bool silent = channel.process == nullptr && now - channel.opened_ns > kHelloNs;
    if (!channel.broken && !silent) return false;
    if (channel.process != nullptr) {
      const auto found = channel_of_.find(channel.process->serial);
      if (found != channel_of_.end() && found->second == &channel) channel_of_.erase(found);
      if (on_errand(channel)) errands.push_back(channel.process);
    }
    std::erase_if(waiting_, [&](const auto& other) { return other.second == entry.first; });
    std::erase(ready_, entry.first);
    return true;
  });
  for (Process* errand : errands) registry_.forget(*errand);
}

void Daemon::watch_process(const Process& process) {
  epoll_event event{EPOLLIN, {.u64 = tag(Kind::process, process.pidfd.get())}};
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, process.pidfd.get(), &event);
}

void Daemon::process_ended(int pid) {
  Process* process = registry_.find(pid);
  if (process == nullptr) return;
  for (auto& [fd, channel] : channels_) {
    if (channel->process != process) continue;
    channel->process = nullptr;
    channel->broken = true;
  }
  channel_of_.erase(process->serial);
  pid_of_.erase(process->pidfd.get());
  registry_.forget(*process);
}

void Daemon::on_signal() {
  signalfd_siginfo signal{};
  if (::read(signals_.get(), &signal, sizeof signal) != sizeof signal) return;
  if (signal.ssi_signo == SIGHUP) {
    (void)reload_policy();
  } else {
    stopping_ = true;
  }
}

void Daemon::post(Process& process, const void* message, std::size_t bytes, int fd) {
  const auto found = channel_of_.find(process.serial);
  if (found == channel_of_.end()) return;
  if (raise_.left > 0 && gives_memory(message, bytes) && --raise_.left == 0) ::kill(::getpid(), raise_.signal);
  send(*found->second, message, bytes, fd);
  count_message(process);
}

void Daemon::send(Channel& channel, const void* message, std::size_t bytes, int fd) {
  if (channel.broken) return;
  if (!channel.send(message, bytes, fd)) channel.broken = true;
  watch(channel);
}

}  // namespace sockdoc::monitor
