#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "abi/messages.h"
#include "abi/unread.h"

namespace sockdoc::preload {

/** A monitor that does what the test wants at the moment when it is asked. Calls are served by serve() alone. */
class ToldMonitor {
 public:
  ToldMonitor() {
    std::string name = testing::TempDir() + "told-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/monitor.sock";
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    EXPECT_LT(path_.size(), sizeof address.sun_path);
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    notice_ = ::memfd_create("notice", MFD_CLOEXEC);
    EXPECT_EQ(::ftruncate(notice_, abi::kPage), 0);
  }
  ~ToldMonitor() {
    ::close(notice_);
    ::close(listener_);
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }
  ToldMonitor(const ToldMonitor&) = delete;
  ToldMonitor& operator=(const ToldMonitor&) = delete;

  [[nodiscard]] const char* path() const { return path_.c_str(); }

  /** Before each message is answered. */
  std::function<void(pid_t from, const abi::Header&)> hears = [](pid_t, const abi::Header&) {};
  /** What a socket gets: the place, and its memory. */
  abi::Place place{};
  int memory = -1;
  /** What is done with a request; false: it is refused. */
  std::function<bool(pid_t from, const abi::GiveBack&)> gives_back = [](pid_t, const abi::GiveBack&) { return false; };
  std::vector<std::uint64_t> hello_flags;

  /** One process's link until it ends; others that call meanwhile, or before, get no answer. */
  void serve(const std::function<bool(pid_t)>& whose) {
    for (;;) {
      const int link = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      ucred peer{};
      socklen_t length = sizeof peer;
      ASSERT_EQ(::getsockopt(link, SOL_SOCKET, SO_PEERCRED, &peer, &length), 0);
      const bool wanted = whose(peer.pid);
      while (wanted && answer_one(link, peer.pid)) {
      }
      ::close(link);
      if (wanted) return;
    }
  }

  /** What the monitor does where nothing is in the way: all bytes by `sender`. */
  static bool give_all(pid_t from, const abi::GiveBack& request, int sender) {
    const std::string path = "/proc/" + std::to_string(from) + "/fd/" + std::to_string(request.memory);
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    void* mapped = ::mmap(nullptr, abi::kPage + request.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (mapped == MAP_FAILED) return false;
    auto* head = static_cast<abi::UnreadHead*>(mapped);
    head->returning = abi::Returning::begun;
    head->returned = static_cast<std::uint64_t>(
        ::send(sender, static_cast<std::byte*>(mapped) + abi::kPage, request.bytes, MSG_NOSIGNAL));
    head->returning = abi::Returning::ended;
    ::munmap(mapped, abi::kPage + request.bytes);
    return true;
  }

 private:
  template <typename Message>
  static Message message_of(abi::MessageType type, std::uint64_t sequence) {
    Message message{};
    message.header = {sizeof message, abi::kMonitorVersion, type, sequence};
    return message;
  }

  template <typename Message>
  void say(int link, const Message& message, int along) {
    iovec part = {const_cast<Message*>(&message), sizeof message};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr out{};
    out.msg_iov = &part;
    out.msg_iovlen = 1;
    if (along >= 0) {
      out.msg_control = control;
      out.msg_controllen = sizeof control;
      cmsghdr* const rights = CMSG_FIRSTHDR(&out);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof along);
      std::memcpy(CMSG_DATA(rights), &along, sizeof along);
    }
    (void)!::sendmsg(link, &out, MSG_NOSIGNAL);
    const abi::Notice notice{++said_};
    (void)!::pwrite(notice_, &notice, sizeof notice, 0);
  }

  bool answer_one(int link, pid_t from) {
    alignas(8) std::byte message[abi::kMaxRequestBytes];
    abi::Header header{};
    if (::recv(link, &header, sizeof header, MSG_WAITALL) != sizeof header) return false;
    std::memcpy(message, &header, sizeof header);
    const std::size_t rest = header.length - sizeof header;
    if (rest > 0 && ::recv(link, message + sizeof header, rest, MSG_WAITALL) != static_cast<ssize_t>(rest))
      return false;
    hears(from, header);
    if (header.type == abi::MessageType::hello) {
      hello_flags.push_back(reinterpret_cast<abi::Hello*>(message)->flags);
      said_ = 0;
      auto welcome = message_of<abi::Welcome>(abi::MessageType::welcome, header.sequence);
      welcome.shared_memory_version = reinterpret_cast<abi::Hello*>(message)->shared_memory_version;
      say(link, welcome, notice_);
    } else if (header.type == abi::MessageType::pair) {
      auto answer = message_of<abi::Answer>(abi::MessageType::answer, header.sequence);
      answer.outcome = abi::Outcome::shared;
      answer.cookie = reinterpret_cast<abi::Pair*>(message)->socket.cookie;
      answer.place = place;
      answer.has_memory = 1;
      say(link, answer, memory);
    } else if (header.type == abi::MessageType::give_back &&
               !gives_back(from, *reinterpret_cast<abi::GiveBack*>(message))) {
      say(link, message_of<abi::Refused>(abi::MessageType::refused, header.sequence), -1);
    }
    return true;
  }

  std::string folder_;
  std::string path_;
  int listener_ = -1;
  int notice_ = -1;
  std::uint64_t said_ = 0;
};

}  // namespace sockdoc::preload
