#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/slab.h"
#include "preload/calls.h"
#include "preload/connection/connections.h"
#include "preload/connection/gate.h"
#include "preload/monitor/link.h"
#include "preload/originals.h"

namespace sockdoc::preload {

/** Both ends of one TCP connection in this process, with the memory that a monitor would have given them. */
class BothEndsTest : public testing::Test {
 public:
  static constexpr std::uint32_t kRingBytes = abi::kMinRingBytes;  // wraps and overflows all the time

 protected:
  void SetUp() override {
    sockdoc_resolve_originals();
    ASSERT_TRUE(table.mine() || table.start());
    monitor_link.configure("/nowhere/monitor.sock");
    const int listener = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
    ASSERT_EQ(sockdoc_hook_listen(listener, 1), 0);
    ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
    ends_[0] = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(sockdoc_hook_connect(ends_[0], reinterpret_cast<sockaddr*>(&address), length), 0);
    ends_[1] = sockdoc_hook_accept(listener, nullptr, nullptr);
    ASSERT_GE(ends_[1], 0);
    sockdoc_hook_close(listener);
    share();
  }

  void TearDown() override {
    for (const int fd : ends_) sockdoc_hook_close(fd);
  }

  [[nodiscard]] static sockdoc_socket_state state(int fd) {
    sockdoc_socket_state result = {};
    EXPECT_TRUE(table.read(fd, result));
    return result;
  }

  int ends_[2] = {-1, -1};

 private:
  void share() {
    static std::uint64_t slabs = 1000;
    slabs++;
    const int memory = memfd_create("slab", MFD_CLOEXEC);
    ASSERT_EQ(ftruncate(memory, static_cast<off_t>(abi::slab_bytes(1, kRingBytes))), 0);
    for (std::uint32_t end = 0; end < abi::kEnds; end++) {
      abi::Answer answer = {};
      answer.header.sequence = table.find(ends_[end]).word();
      answer.outcome = abi::Outcome::shared;
      answer.cookie = state(ends_[end]).cookie;
      answer.place = {slabs, slabs, 1, 0, end, 1, kRingBytes};
      table.state(table.find(ends_[end]))->gate |= static_cast<std::uint64_t>(Phase::asked);
      ASSERT_EQ(connections.answered(answer, memory), Connections::Reply::nothing);
    }
    close(memory);
    // The first calls cross, each end for itself.
    char byte = 0;
    for (int turn = 0; turn < 2; turn++) {
      for (int end = 0; end < 2; end++) {
        ASSERT_EQ(sockdoc_hook_send(ends_[end], "w", 1, 0), 1);
        ASSERT_EQ(sockdoc_hook_recv(ends_[1 - end], &byte, 1, 0), 1);
      }
    }
    for (const int fd : ends_) ASSERT_TRUE(state(fd).mapped);
  }
};

}  // namespace sockdoc::preload
