#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/procfs.h"
#include "live_sockets.h"
#include "monitor/policy_parser.h"
#include "monitor/registry.h"
#include "probes/sockets/process_table.h"

namespace sockdoc::monitor {

inline std::uint64_t start_of(pid_t process) {
  char buffer[4096];
  return parse_stat(*read_small(AT_FDCWD, ("/proc/" + std::to_string(process) + "/stat").c_str(), buffer))->start_ticks;
}
inline std::uint64_t own_start() { return start_of(::getpid()); }

inline abi::Endpoint endpoint(const sockaddr_in& address) {
  abi::Endpoint out{};
  out.address[10] = out.address[11] = 0xff;
  std::memcpy(out.address + 12, &address.sin_addr, 4);
  out.port = ntohs(address.sin_port);
  return out;
}

inline abi::SocketClaim claim_of(const Fd& fd) {
  abi::SocketClaim claim{};
  struct stat info {};
  EXPECT_EQ(::fstat(fd.get(), &info), 0);
  sockaddr_in address{};
  socklen_t length = sizeof address;
  claim.fd = fd.get();
  claim.family = AF_INET;
  claim.inode = info.st_ino;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  claim.local = endpoint(address);
  ::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  claim.remote = endpoint(address);
  length = sizeof claim.cookie;
  EXPECT_EQ(::getsockopt(fd.get(), SOL_SOCKET, SO_COOKIE, &claim.cookie, &length), 0);
  return claim;
}

/** The books, with this process as their only client, and what was posted to it. */
class Books {
 public:
  explicit Books(std::string_view policy = "")
      : registry(1, parse_policy(policy).policy, [this](Process&, const void* message, std::size_t bytes, int fd) {
          abi::Header header;
          std::memcpy(&header, message, sizeof header);
          if (header.type == abi::MessageType::answer) {
            ASSERT_EQ(bytes, sizeof(abi::Answer));
            std::memcpy(&answers.emplace_back(), message, bytes);
          } else {
            others.push_back(header.type);
          }
          if (fd >= 0) descriptors.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
        }) {
    auto enrolled = registry.enrol(::getpid(), ::getpid(), own_start());
    EXPECT_TRUE(enrolled.ok());
    process = *enrolled;
  }

  void pair(const abi::SocketClaim& claim, std::uint64_t sequence = 0) {
    abi::Pair message{};
    message.header.sequence = sequence;
    message.socket = claim;
    registry.pair(*process, message);
  }
  abi::Answer next() {
    EXPECT_FALSE(answers.empty());
    if (answers.empty()) return {};
    const abi::Answer answer = answers.front();
    answers.pop_front();
    return answer;
  }
  abi::Reason refusal(const abi::SocketClaim& claim) {
    pair(claim);
    const abi::Answer answer = next();
    EXPECT_EQ(answer.outcome, abi::Outcome::kernel);
    return answer.reason;
  }
  std::string status() const {
    Json json;
    json.begin_object();
    registry.write_status(json, 0);
    return json.end_object().text();
  }

  std::deque<abi::Answer> answers;
  std::vector<abi::MessageType> others;
  std::vector<Fd> descriptors;
  Registry registry;
  Process* process = nullptr;
};

}  // namespace sockdoc::monitor
