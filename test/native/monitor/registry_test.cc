#include "monitor/registry.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <deque>

#include "abi/slab.h"
#include "base/procfs.h"
#include "monitor/policy_parser.h"
#include "probes/sockets/process_table.h"

namespace sockdoc::monitor {
namespace {

std::uint64_t own_start() {
  char buffer[4096];
  return parse_stat(*read_small(AT_FDCWD, "/proc/self/stat", buffer))->start_ticks;
}

/** A real TCP connection of this process with itself over loopback. */
class Loop {
 public:
  Loop() {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener.get(), generic, length), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), generic, &length), 0);
    ends[0] = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(ends[0].get(), generic, length), 0);
    ends[1] = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  Fd ends[2];
};

abi::Endpoint endpoint(const sockaddr_in& address) {
  abi::Endpoint out{};
  out.address[10] = out.address[11] = 0xff;
  std::memcpy(out.address + 12, &address.sin_addr, 4);
  out.port = ntohs(address.sin_port);
  return out;
}

abi::SocketClaim claim_of(const Fd& fd) {
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

/** Whichever end comes first. */
TEST(Registry, AnEndThatStaysOnTheKernelSaysWhyAndItsPeerNeedNotWait) {
  for (const bool keeps_first : {true, false}) {
    const Loop loop;
    Books books;
    const auto keep = [&] {
      abi::Keep message{};
      message.socket = claim_of(loop.ends[0]);
      message.reason = abi::Reason::upper_protocol;
      books.registry.keep(*books.process, message);
    };
    if (keeps_first) keep();
    books.pair(claim_of(loop.ends[1]));
    if (!keeps_first) {
      EXPECT_EQ(books.next().outcome, abi::Outcome::waiting);
      keep();
    }
    const abi::Answer answer = books.next();
    EXPECT_EQ(answer.outcome, abi::Outcome::kernel);
    EXPECT_EQ(answer.reason, abi::Reason::peer_refused);
    const std::string status = books.status();
    EXPECT_NE(status.find("an upper protocol such as kTLS is set on the socket"), std::string::npos) << status;
    EXPECT_NE(status.find("the peer stays on the kernel"), std::string::npos) << status;
    EXPECT_TRUE(books.answers.empty());
    EXPECT_TRUE(books.descriptors.empty());
    // Who asks after all has changed its mind.
    books.pair(claim_of(loop.ends[0]));
    EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
  }
}

TEST(Registry, TheTwoEndsOfAConnectionGetOneSlotAndOppositeEnds) {
  const Loop loop;
  Books books;
  books.pair(claim_of(loop.ends[0]), 1);
  const abi::Answer waiting = books.next();
  EXPECT_EQ(waiting.outcome, abi::Outcome::waiting);
  EXPECT_EQ(waiting.reason, abi::Reason::peer_unknown);
  books.pair(claim_of(loop.ends[1]), 2);
  const abi::Answer second = books.next();
  const abi::Answer first = books.next();
  EXPECT_EQ(second.header.sequence, 2u);
  EXPECT_EQ(first.header.sequence, 1u);
  for (const abi::Answer& answer : {first, second}) EXPECT_EQ(answer.outcome, abi::Outcome::shared);
  EXPECT_EQ(first.place.slab, second.place.slab);
  EXPECT_EQ(first.place.slot, second.place.slot);
  EXPECT_EQ(first.place.generation, second.place.generation);
  EXPECT_EQ(first.place.end + second.place.end, 1u);
  EXPECT_EQ(first.has_memory + second.has_memory, 1u) << "a process is given each slab once";
  ASSERT_EQ(books.descriptors.size(), 1u);
  const int seals = ::fcntl(books.descriptors[0].get(), F_GET_SEALS);
  EXPECT_EQ(seals & (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL), F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  EXPECT_NE(::ftruncate(books.descriptors[0].get(), 0), 0);
  EXPECT_NE(books.status().find("\"shm\":1"), std::string::npos) << books.status();
}

TEST(Registry, LiesAreRefusedWithTheReason) {
  const Loop loop;
  Books books;
  const abi::SocketClaim truth = claim_of(loop.ends[0]);
  const auto with = [&](auto change) {
    abi::SocketClaim claim = truth;
    change(claim);
    return books.refusal(claim);
  };
  EXPECT_EQ(with([](auto& c) { ++c.cookie; }), abi::Reason::other_cookie);
  EXPECT_EQ(with([](auto& c) { ++c.inode; }), abi::Reason::not_this_descriptor);
  EXPECT_EQ(with([](auto& c) { c.fd = 0; }), abi::Reason::not_this_descriptor);
  EXPECT_EQ(with([](auto& c) { c.fd = 19'999; }), abi::Reason::not_this_descriptor);
  EXPECT_EQ(with([](auto& c) { c.fd = -1; }), abi::Reason::bad_message);
  EXPECT_EQ(with([](auto& c) { c.family = AF_UNIX; }), abi::Reason::bad_message);
  EXPECT_EQ(with([](auto& c) { c.local.port = 0; }), abi::Reason::bad_message);
  EXPECT_EQ(with([](auto& c) { c.local.port = 65537 + c.local.port; }), abi::Reason::bad_message);
  EXPECT_EQ(with([](auto& c) { c.remote.address[15] = 9; }), abi::Reason::no_such_socket);
  const abi::SocketClaim other = claim_of(loop.ends[1]);
  EXPECT_EQ(with([&](auto& c) { c.local = other.local, c.remote = other.remote; }), abi::Reason::other_cookie);
  EXPECT_EQ(with([&](auto& c) { c.local = other.local, c.remote = other.remote, c.cookie = other.cookie; }),
            abi::Reason::other_inode);
  ::shutdown(loop.ends[0].get(), SHUT_WR);
  EXPECT_EQ(books.refusal(truth), abi::Reason::not_established);
  EXPECT_TRUE(books.descriptors.empty()) << "no memory left the monitor";
}

TEST(Registry, ASlotIsZeroAndGivenOutAgainOnlyAfterBothEndsHaveEnded) {
  Books books("limit ring=4K");
  const Loop first;
  books.pair(claim_of(first.ends[0]));
  books.pair(claim_of(first.ends[1]));
  (void)books.next();
  const abi::Place place = books.next().place;
  ASSERT_FALSE(books.descriptors.empty());
  const int memory = books.descriptors[0].get();
  const auto at = static_cast<off_t>(abi::slot_offset(place.slot, place.ring_bytes));
  ASSERT_EQ(::pwrite(memory, "used", 4, at), 4);
  books.registry.release(*books.process, claim_of(first.ends[0]).cookie);
  char found[4] = {};
  ASSERT_EQ(::pread(memory, found, 4, at), 4);
  EXPECT_EQ(std::memcmp(found, "used", 4), 0) << "one end is still there";
  books.registry.release(*books.process, claim_of(first.ends[1]).cookie);
  ASSERT_EQ(::pread(memory, found, 4, at), 4);
  EXPECT_EQ(std::memcmp(found, "\0\0\0\0", 4), 0);
  EXPECT_NE(books.status().find("\"shm\":0"), std::string::npos);
  std::uint64_t generation = place.generation;
  for (int i = 0; i < 20; ++i) {
    const Loop again;
    books.answers.clear();
    books.pair(claim_of(again.ends[0]));
    books.pair(claim_of(again.ends[1]));
    (void)books.next();
    const abi::Answer answer = books.next();
    EXPECT_EQ(answer.place.slab, place.slab);
    EXPECT_GT(answer.place.generation, generation);
    generation = answer.place.generation;
    for (const Fd& end : again.ends) books.registry.release(*books.process, claim_of(end).cookie);
  }
}

TEST(Registry, QuotasHold) {
  const Loop a;
  const Loop b;
  Books connections("limit connections=2");
  connections.pair(claim_of(a.ends[0]));
  connections.pair(claim_of(a.ends[1]));
  connections.answers.clear();
  EXPECT_EQ(connections.refusal(claim_of(b.ends[0])), abi::Reason::quota_connections);
  connections.registry.release(*connections.process, claim_of(a.ends[0]).cookie);
  connections.pair(claim_of(b.ends[0]));
  EXPECT_EQ(connections.next().outcome, abi::Outcome::waiting);

  Books bytes("limit bytes=64K");
  bytes.pair(claim_of(a.ends[0]));
  (void)bytes.next();
  bytes.pair(claim_of(a.ends[1]));
  EXPECT_EQ(bytes.next().reason, abi::Reason::quota_bytes);
  EXPECT_EQ(bytes.next().reason, abi::Reason::quota_bytes);
  EXPECT_TRUE(bytes.descriptors.empty());
}

TEST(Registry, ConnectionsThatEndedWithoutAReleaseAreNoticedWhenRoomIsWanted) {
  Books quota("limit connections=2");
  {
    const Loop lost;
    quota.pair(claim_of(lost.ends[0]));
    quota.pair(claim_of(lost.ends[1]));
    const Loop refused;
    quota.answers.clear();
    EXPECT_EQ(quota.refusal(claim_of(refused.ends[0])), abi::Reason::quota_connections) << "both are still there";
  }
  const Loop next;
  quota.pair(claim_of(next.ends[0]));
  quota.pair(claim_of(next.ends[1]));
  EXPECT_EQ(quota.next().outcome, abi::Outcome::waiting);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(quota.next().outcome, abi::Outcome::shared);

  Books slabs("limit ring=4K");
  const Loop kept;
  slabs.pair(claim_of(kept.ends[0]));
  slabs.pair(claim_of(kept.ends[1]));
  for (int i = 0; i < 100; ++i) {
    const Loop lost;
    slabs.pair(claim_of(lost.ends[0]));
    slabs.pair(claim_of(lost.ends[1]));
  }
  EXPECT_NE(slabs.status().find("\"slabs\":1,"), std::string::npos) << slabs.status();
  slabs.answers.clear();
  slabs.pair(claim_of(kept.ends[0]));
  EXPECT_EQ(slabs.next().outcome, abi::Outcome::shared) << "it has not ended";
}

TEST(Registry, ADenialKeepsMemoryUnsharedAndAPolicyCanBeTakenBack) {
  const Loop loop;
  Books books("deny any");
  books.pair(claim_of(loop.ends[0]));
  (void)books.next();
  books.pair(claim_of(loop.ends[1]));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(books.next().reason, abi::Reason::denied_by_policy);
  EXPECT_TRUE(books.descriptors.empty());
  EXPECT_NE(books.status().find("\"denied\":1"), std::string::npos) << books.status();
  books.registry.set_policy({});
  books.pair(claim_of(loop.ends[0]));
  EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
  EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
  EXPECT_TRUE(books.others.empty());
  books.registry.set_policy(parse_policy("deny any").policy);
  EXPECT_EQ(books.others, std::vector(2, abi::MessageType::withdrawn));
}

TEST(Registry, AProcessThatEndsIsForgottenWithAllThatItHad) {
  const Loop loop;
  Books books;
  books.pair(claim_of(loop.ends[0]));
  books.pair(claim_of(loop.ends[1]));
  EXPECT_NE(books.status().find("\"slabs\":1"), std::string::npos);
  books.registry.forget(*books.process);
  EXPECT_NE(books.status().find("\"clients\":[]"), std::string::npos);
  EXPECT_NE(books.status().find("\"slabs\":0"), std::string::npos) << books.status();
  EXPECT_NE(books.status().find("\"shm\":0"), std::string::npos);
}

TEST(Registry, AProcessThatLibsdLeavesHasNothingLeftAndBeginsAnew) {
  const Loop loop;
  Books books;
  books.pair(claim_of(loop.ends[0]));
  books.pair(claim_of(loop.ends[1]));
  EXPECT_EQ(books.next().outcome, abi::Outcome::waiting);
  const abi::Answer before = books.next();
  ASSERT_EQ(before.outcome, abi::Outcome::shared);
  ASSERT_EQ(books.next().outcome, abi::Outcome::shared);
  ASSERT_EQ(books.descriptors.size(), 1U);
  books.registry.leave(*books.process);
  EXPECT_EQ(std::count(books.others.begin(), books.others.end(), abi::MessageType::withdrawn), 2);
  EXPECT_TRUE(books.process->ends.empty());
  books.pair(claim_of(loop.ends[0]));
  books.pair(claim_of(loop.ends[1]));
  EXPECT_EQ(books.next().outcome, abi::Outcome::waiting);
  const abi::Answer after = books.next();
  EXPECT_EQ(after.outcome, abi::Outcome::shared);
  EXPECT_NE(after.place.generation, before.place.generation);
  EXPECT_EQ(books.descriptors.size(), 2U);  // it has no mapping any more
}

TEST(Registry, AnAdoptedSocketWaitsWhileAnotherProcessHasItToo) {
  const Loop loop;
  Books books;
  int gone[2];
  ASSERT_EQ(::pipe2(gone, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(gone[1]);
    (void)!::read(gone[0], &byte, 1);
    ::_exit(0);
  }
  const auto adopted = [](const Fd& fd) {
    abi::SocketClaim claim = claim_of(fd);
    claim.flags = abi::kClaimAdopted;
    return claim;
  };
  books.pair(adopted(loop.ends[0]));
  const abi::Answer shared = books.next();
  EXPECT_EQ(shared.outcome, abi::Outcome::waiting);
  EXPECT_EQ(shared.reason, abi::Reason::shared_by_more);
  books.pair(claim_of(loop.ends[1]));
  EXPECT_EQ(books.next().outcome, abi::Outcome::waiting);
  ::close(gone[1]);
  ::close(gone[0]);
  ::waitpid(child, nullptr, 0);
  // With a libsd that came after the child had ended.
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  books.process->attached_ns = now.tv_sec * 1'000'000'000ll + now.tv_nsec;
  books.pair(adopted(loop.ends[0]));
  EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
  EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
}

TEST(Registry, AfterARestartBothEndsMustTellTheSameStory) {
  const Loop loop;
  Books books;
  const auto restore = [&](const Fd& fd, abi::Place place) {
    abi::Restore message{};
    message.socket = claim_of(fd);
    message.place = place;
    books.registry.restore(*books.process, message);
  };
  const abi::Place zero{77, 5, 9, 3, 0, 16, 4096};
  abi::Place one = zero;
  one.end = 1;
  restore(loop.ends[0], zero);
  EXPECT_EQ(books.next().outcome, abi::Outcome::waiting);
  restore(loop.ends[1], zero);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(books.next().reason, abi::Reason::inconsistent);
  restore(loop.ends[1], one);
  for (int i = 0; i < 2; ++i) {
    const abi::Answer answer = books.next();
    EXPECT_EQ(answer.outcome, abi::Outcome::shared);
    EXPECT_EQ(answer.place.slot, 3u);
    EXPECT_EQ(answer.has_memory, 0u);
  }
  books.registry.release(*books.process, claim_of(loop.ends[0]).cookie);
  books.registry.release(*books.process, claim_of(loop.ends[1]).cookie);
  books.registry.forget(*books.process);
  EXPECT_NE(books.status().find("\"slabs\":0"), std::string::npos) << books.status();
}

TEST(Registry, AnotherStartTimeIsAnotherProcess) {
  Books books;
  EXPECT_FALSE(books.registry.enrol(::getpid(), ::getpid(), own_start() + 1).ok());
  EXPECT_FALSE(books.registry.enrol(::getpid(), ::getpid() + 1, own_start()).ok());
  EXPECT_TRUE(books.registry.enrol(::getpid(), ::getpid(), own_start()).ok());
  EXPECT_FALSE(books.registry.enrol(1, 1, 1).ok());
}

TEST(Counts, OfTwoEndsMustFit) {
  InetSocket a;
  InetSocket b;
  a.info.length = b.info.length = sizeof(TcpInfoFields);
  a.info.fields.bytes_acked = 1001;
  b.info.fields.bytes_received = 1000;
  EXPECT_TRUE(counts_fit(a, b));
  b.info.fields.bytes_received = 900;
  EXPECT_FALSE(counts_fit(a, b)) << "acknowledged, but not received";
  b.info.fields.bytes_received = 1000;
  a.info.fields.bytes_received = 500;
  EXPECT_FALSE(counts_fit(a, b)) << "received, but not sent";
  b.send_queue = 500;
  EXPECT_TRUE(counts_fit(a, b));
}

TEST(Identity, IsReadFromStatus) {
  const auto identity = parse_status("Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nNSpid:\t77\t3\n");
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->uids, (std::array<uid_t, 3>{1, 2, 3}));
  EXPECT_EQ(identity->gids, (std::array<gid_t, 3>{5, 6, 7}));
  EXPECT_EQ(identity->groups, (std::vector<gid_t>{9, 10}));
  EXPECT_EQ(identity->own_pid, 3);
  EXPECT_FALSE(parse_status("Uid:\t1\t2\nGid:\t1\t1\t1\nNSpid:\t1"));
  EXPECT_FALSE(parse_status(""));
  EXPECT_EQ(parse_cgroup("4:memory:/m\n1:name=systemd:/s\n0::/u\n"), "/u");
  EXPECT_EQ(parse_cgroup("4:memory:/m\n1:name=systemd:/\n0::/\n"), "/m");
  EXPECT_EQ(parse_cgroup("0::/\n"), "/");
}

}  // namespace
}  // namespace sockdoc::monitor
