#include <unistd.h>

#include <cstring>
#include <optional>

#include "abi/direction.h"
#include "monitor/clock.h"
#include "monitor/daemon.h"
#include "monitor/message.h"
#include "monitor/policy_parser.h"

// The half of the daemon that knows what messages mean.

namespace sockdoc::monitor {
namespace {

using abi::MessageType;
using abi::Reason;

constexpr std::size_t kErrands = 64;  // of one user at the same time

/** The message as what its type says, when it has exactly that length. */
template <typename Message>
std::optional<Message> read_message(const Channel& channel) {
  if (channel.message().size() != sizeof(Message)) return std::nullopt;
  Message message;
  std::memcpy(&message, channel.message().data(), sizeof message);
  return message;
}

std::int64_t uptime_seconds(std::int64_t since_ns) { return (monotonic_ns() - since_ns) / 1'000'000'000; }

Reason refusal_of(const Error& error) {
  switch (error.code) {
    case ESRCH:
    case ENOENT:
      return Reason::process_changed;
    case EMFILE:
    case ENFILE:
      return Reason::no_descriptors;
    case ENOMEM:
      return Reason::no_memory;
    default:
      return Reason::proc_unreadable;
  }
}

}  // namespace

void Daemon::handle(Channel& channel) {
  abi::Header header;
  std::memcpy(&header, channel.message().data(), sizeof header);
  if (header.version != abi::kMonitorVersion) return refuse(channel, header.sequence, Reason::other_version, true);
  const bool master = channel.sender().uid == 0 || channel.sender().uid == ::geteuid();
  switch (header.type) {
    case MessageType::hello:
      if (const auto request = read_message<abi::Hello>(channel)) return hello(channel, *request);
      return refuse(channel, header.sequence, Reason::bad_message, true);
    case MessageType::status:
      return status(channel, header.sequence);
    case MessageType::reload:
    case MessageType::stop:
      if (!master) return refuse(channel, header.sequence, Reason::not_permitted, false);
      if (header.type == MessageType::reload) return reload(channel, header.sequence);
      {
        const abi::Plain done{{sizeof done, abi::kMonitorVersion, MessageType::done, header.sequence}};
        send(channel, &done, sizeof done, -1);
        stopping_ = true;
        return;
      }
    default:
      return handle_registered(channel, header);
  }
}

void Daemon::handle_registered(Channel& channel, const abi::Header& header) {
  if (channel.process == nullptr) return refuse(channel, header.sequence, Reason::not_registered, true);
  Process& process = *channel.process;
  // A child has the same connection, but not the same descriptors: it must come on a connection of its own.
  if (channel.sender().pid != process.pid) return refuse(channel, header.sequence, Reason::other_process, false);
  const bool for_errands = header.type == MessageType::pair || header.type == MessageType::give_back;
  if (process.errand && !for_errands) return refuse(channel, header.sequence, Reason::bad_message, true);
  if (header.type == MessageType::pair) {
    if (const auto request = read_message<abi::Pair>(channel)) return registry_.pair(process, *request);
  } else if (header.type == MessageType::restore) {
    if (const auto request = read_message<abi::Restore>(channel)) return registry_.restore(process, *request);
  } else if (header.type == MessageType::keep) {
    if (const auto request = read_message<abi::Keep>(channel)) return registry_.keep(process, *request);
  } else if (header.type == MessageType::release) {
    if (const auto request = read_message<abi::Release>(channel)) return registry_.release(process, request->cookie);
  } else if (header.type == MessageType::leave) {
    if (read_message<abi::Plain>(channel)) return registry_.leave(process);
  } else if (header.type == MessageType::give_back) {
    if (const auto request = read_message<abi::GiveBack>(channel)) return give_back(process, *request);
  } else if (header.type == MessageType::want_doorbell) {
    if (const auto request = read_message<abi::WantDoorbell>(channel))
      return registry_.want_doorbell(process, *request);
  } else if (header.type == MessageType::report) {
    if (const auto request = read_message<abi::Report>(channel)) return registry_.report(process, *request);
  }
  refuse(channel, header.sequence, Reason::bad_message, true);
}

void Daemon::hello(Channel& channel, const abi::Hello& request) {
  const std::uint64_t sequence = request.header.sequence;
  if (channel.process != nullptr) return refuse(channel, sequence, Reason::bad_message, true);
  if (request.shared_memory_version != abi::kSharedMemoryVersion) {
    return refuse(channel, sequence, Reason::other_memory_version, true);
  }
  const int pid = channel.sender().pid;
  if (pid <= 0) return refuse(channel, sequence, Reason::not_visible, true);
  const bool errand = (request.flags & abi::kHelloErrand) != 0;
  if (errand && count_of(channel.uid(), [](const Channel& other) { return on_errand(other); }) >= kErrands) {
    return refuse(channel, sequence, Reason::no_descriptors, true);
  }
  // Its number may be another's already.
  if (const Process* known = registry_.find(pid); known != nullptr && ended(*known)) process_ended(pid);
  auto enrolled = errand ? registry_.enrol_errand(pid, request.pid, request.start_ticks)
                         : registry_.enrol(pid, request.pid, request.start_ticks);
  if (!enrolled) return refuse(channel, sequence, refusal_of(enrolled.error()), true);
  Process& process = **enrolled;
  if ((request.flags & abi::kHelloAnew) != 0) {
    registry_.leave(process);
    process.attached_ns = monotonic_ns();
  }
  if (const auto former = channel_of_.find(process.serial); former != channel_of_.end()) {
    former->second->process = nullptr;
    former->second->broken = true;
  }
  channel.process = &process;
  channel_of_[process.serial] = &channel;
  if (!errand && pid_of_.try_emplace(process.pidfd.get(), pid).second) watch_process(process);
  abi::Welcome welcome{};
  welcome.header = {sizeof welcome, abi::kMonitorVersion, MessageType::welcome, sequence};
  welcome.shared_memory_version = abi::kSharedMemoryVersion;
  welcome.monitor_pid = ::getpid();
  welcome.instance = instance_;
  post(process, &welcome, sizeof welcome, process.notice.get());
}

/** What comes of it is said in the asker's memory; a refusal by a message. */
void Daemon::give_back(Process& process, const abi::GiveBack& request) {
  Reason reason = Reason::none;
  GivingBack job = registry_.give_back(process, request, reason);
  const std::uint64_t sequence = request.header.sequence;
  if (job.bytes == 0) return not_given_back(process, sequence, reason);
  if (!givers_back_.start(std::move(job))) not_given_back(process, sequence, Reason::no_descriptors);
}

void Daemon::not_given_back(Process& process, std::uint64_t sequence, Reason reason) {
  auto refused = message_of<abi::Refused>(MessageType::refused, sequence);
  refused.reason = reason;
  refused.monitor_version = abi::kMonitorVersion;
  post(process, &refused, sizeof refused, -1);
}

void Daemon::refuse(Channel& channel, std::uint64_t sequence, Reason reason, bool ends) {
  abi::Refused refused{};
  refused.header = {sizeof refused, abi::kMonitorVersion, MessageType::refused, sequence};
  refused.reason = reason;
  refused.ends = ends ? 1 : 0;
  refused.monitor_version = abi::kMonitorVersion;
  send(channel, &refused, sizeof refused, -1);
  if (ends) channel.broken = true;
}

void Daemon::status(Channel& channel, std::uint64_t sequence) {
  Json json;
  json.begin_object().field("pid", static_cast<int>(::getpid())).field("version", version_);
  json.field("memoryVersion", abi::kSharedMemoryVersion);
  json.field("uid", std::uint64_t{::geteuid()}).field("uptimeS", uptime_seconds(started_ns_));
  json.field("returned", givers_back_.returned());
  registry_.write_status(json, channel.sender().uid);
  json.end_object();
  send_text(channel, sequence, json.text());
}

void Daemon::send_text(Channel& channel, std::uint64_t sequence, std::string_view text) {
  std::string message(sizeof(abi::Text), '\0');
  const abi::Text head{
      {static_cast<std::uint32_t>(sizeof head + text.size()), abi::kMonitorVersion, MessageType::text, sequence}};
  std::memcpy(message.data(), &head, sizeof head);
  message += text;
  send(channel, message.data(), message.size(), -1);
}

void Daemon::reload(Channel& channel, std::uint64_t sequence) { send_text(channel, sequence, reload_policy()); }

/** The mistakes as lines, for which the former policy stays; empty when the new one holds now. */
std::string Daemon::reload_policy() {
  if (policy_path_.empty()) return "";
  ParsedPolicy parsed = read_policy(policy_path_);
  std::string errors;
  for (const PolicyError& error : parsed.errors) errors += error_line(policy_path_, error) + "\n";
  if (errors.empty()) {
    registry_.set_policy(std::move(parsed.policy));
  } else {
    (void)!::write(STDERR_FILENO, errors.data(), errors.size());
  }
  return errors;
}

}  // namespace sockdoc::monitor
