#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "link.h"

namespace sockdoc {
namespace {

using abi::Carrier;

struct Part {
  Carrier carrier;
  std::size_t bytes;
};

/** Sends stamped bytes by the carriers of the parts; as many as it may: a switch can be refused. */
void send_parts(const Link& link, const std::vector<Part>& parts) {
  StreamSender sender = link.sender();
  for (const Part& part : parts) {
    if (!sender.switch_to(part.carrier)) return;
    std::vector<std::byte> bytes(part.bytes);
    fill(bytes, sender.sent());
    ASSERT_EQ(sender.send(bytes).bytes, part.bytes);
  }
}

/** What a call in another process has found. */
struct Found {
  Moved moved;
  std::byte bytes[64];
};

using Call = Moved (StreamReceiver::*)(std::span<std::byte>);

/** The call is stopped where it asks the kernel first, with what it has seen of the shared words, for `meanwhile`. */
Found found(const Link& link, Call call, const std::function<void()>& meanwhile) {
  void* const place = ::mmap(nullptr, sizeof(Found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* const shared = static_cast<Found*>(place);
  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    StreamReceiver receiver = link.receiver();
    shared->moved = (receiver.*call)(std::span(shared->bytes));
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSTOPPED(status));
  EXPECT_EQ(::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
  bool stopped = false;
  while (::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0 && ::waitpid(child, &status, 0) == child &&
         WIFSTOPPED(status)) {
    __ptrace_syscall_info at = {};
    ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof at, &at);
    if (stopped || at.op != PTRACE_SYSCALL_INFO_ENTRY || at.entry.nr != SYS_recvfrom) continue;
    stopped = true;
    meanwhile();
  }
  EXPECT_TRUE(stopped) << "the kernel was not asked";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  const Found result = *shared;
  ::munmap(place, sizeof(Found));
  return result;
}

TEST(Peek, HasTheBytesInTheirOrderAcrossAllSwitches) {
  for (const Carrier first : {Carrier::kernel, Carrier::ring}) {
    const Link link;
    ASSERT_TRUE(link.ok());
    const Carrier second = first == Carrier::ring ? Carrier::kernel : Carrier::ring;
    send_parts(link, {{first, 10}, {second, 20}, {first, 5}, {second, 25}, {first, 10}});
    StreamReceiver receiver = link.receiver();
    for (const std::size_t wanted : {0U, 5U, 10U, 11U, 29U, 30U, 36U, 70U, 100U}) {
      std::vector<std::byte> into(wanted);
      const Moved seen = receiver.peek(into);
      ASSERT_EQ(seen.bytes, std::min<std::size_t>(wanted, 70)) << wanted;
      EXPECT_EQ(seen.error, 0);
      EXPECT_EQ(wrong(std::span(into).first(seen.bytes), 0), 0U) << wanted;
    }
    EXPECT_EQ(receiver.received(), 0U);
  }
}

TEST(Peek, TellsNothingTheEndAndWhatCannotBe) {
  const Link link;
  ASSERT_TRUE(link.ok());
  StreamReceiver receiver = link.receiver();
  std::byte into[64];
  EXPECT_EQ(receiver.peek(into).error, EAGAIN);
  send_parts(link, {{Carrier::kernel, 3}, {Carrier::ring, 4}});
  ASSERT_EQ(receiver.receive(into).bytes, 3U);
  ASSERT_EQ(receiver.receive(into).bytes, 4U);
  EXPECT_EQ(receiver.peek(into).error, EAGAIN);
  ASSERT_EQ(::send(link.from(), "x", 1, 0), 1);
  EXPECT_EQ(receiver.peek(into).error, EPROTO) << "without a switch";
  ASSERT_EQ(::recv(link.to(), into, 1, 0), 1);
  ASSERT_EQ(::shutdown(link.from(), SHUT_WR), 0);
  EXPECT_TRUE(receiver.peek(into).end);
  link.shared().sender.published += 2 * (abi::kSwitches + 1);
  EXPECT_EQ(receiver.peek(into).error, EPROTO);
}

struct Turn {
  const char* name;
  std::vector<Part> before;
  std::vector<Part> meanwhile;
  bool ends;
  std::size_t found;  // by a peek
};

const std::vector<Turn>& turns() {
  static const std::vector<Turn> all = {
      {"behind what the kernel has", {{Carrier::kernel, 1}}, {{Carrier::ring, 5}, {Carrier::kernel, 7}}, false, 1},
      {"where nothing was", {}, {{Carrier::ring, 5}, {Carrier::kernel, 7}}, false, 12},
      {"behind the kernel's of two parts",
       {{Carrier::ring, 5}, {Carrier::kernel, 3}},
       {{Carrier::ring, 4}, {Carrier::kernel, 7}},
       false,
       8},
      {"before the end", {}, {{Carrier::ring, 5}}, true, 5},
  };
  return all;
}

/** The sender changes over to the ring and back while the kernel is about to be asked. */
TEST(Peek, MeetsNoBytesOfALaterPart) {
  for (const Turn& turn : turns()) {
    const Link link;
    ASSERT_TRUE(link.ok());
    send_parts(link, turn.before);
    const Found seen = found(link, &StreamReceiver::peek, [&] {
      send_parts(link, turn.meanwhile);
      if (turn.ends) ::shutdown(link.from(), SHUT_WR);
    });
    EXPECT_EQ(seen.moved.bytes, turn.found) << turn.name;
    EXPECT_EQ(wrong(std::span(seen.bytes).first(seen.moved.bytes), 0), 0U) << turn.name;
    ::shutdown(link.from(), SHUT_WR);
    const Received all = receive_all(link.receiver(), 1);
    EXPECT_EQ(all.bytes, link.sender().sent()) << turn.name;
    EXPECT_EQ(all.wrong, 0U) << turn.name;
  }
}

/** As above: he does not get back to the kernel before the read has ended. */
TEST(Stream, AReadMeetsNoBytesOfALaterPart) {
  for (const Turn& turn : turns()) {
    if (!turn.before.empty() && turn.before[0].carrier == Carrier::ring) continue;  // read without the kernel
    const Link link;
    ASSERT_TRUE(link.ok());
    send_parts(link, turn.before);
    const Found taken = found(link, &StreamReceiver::receive, [&] {
      send_parts(link, turn.meanwhile);
      EXPECT_EQ(link.sender().carrier(), Carrier::ring) << turn.name;
      if (turn.ends) ::shutdown(link.from(), SHUT_WR);
    });
    EXPECT_EQ(wrong(std::span(taken.bytes).first(taken.moved.bytes), 0), 0U) << turn.name;
    ASSERT_EQ(link.receiver().received(), taken.moved.bytes) << turn.name;
    std::byte rest[64];
    const Moved behind = link.receiver().receive(rest);
    EXPECT_EQ(taken.moved.bytes + behind.bytes, link.sender().sent()) << turn.name;
    EXPECT_EQ(wrong(std::span(rest).first(behind.bytes), taken.moved.bytes), 0U) << turn.name;
  }
}

}  // namespace
}  // namespace sockdoc
