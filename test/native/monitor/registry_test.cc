#include <sys/mman.h>
#include <sys/wait.h>

#include <ctime>

#include "books.h"

namespace sockdoc::monitor {
namespace {

/** Whichever end comes first. */
TEST(Registry, AnEndThatStaysOnTheKernelSaysWhyAndItsPeerNeedNotWait) {
  for (const bool keeps_first : {true, false}) {
    const LoopbackConnection loop;
    Books books;
    const auto keep = [&] {
      abi::Keep message{};
      message.socket = claim_of(loop.opener);
      message.reason = abi::Reason::upper_protocol;
      books.registry.keep(*books.process, message);
    };
    if (keeps_first) keep();
    books.pair(claim_of(loop.acceptor));
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
    books.pair(claim_of(loop.opener));
    EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
  }
}

TEST(Registry, TheTwoEndsOfAConnectionGetOneSlotAndOppositeEnds) {
  const LoopbackConnection loop;
  Books books;
  books.pair(claim_of(loop.opener), 1);
  const abi::Answer waiting = books.next();
  EXPECT_EQ(waiting.outcome, abi::Outcome::waiting);
  EXPECT_EQ(waiting.reason, abi::Reason::peer_unknown);
  books.pair(claim_of(loop.acceptor), 2);
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
  const LoopbackConnection loop;
  Books books;
  const abi::SocketClaim truth = claim_of(loop.opener);
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
  const abi::SocketClaim other = claim_of(loop.acceptor);
  EXPECT_EQ(with([&](auto& c) { c.local = other.local, c.remote = other.remote; }), abi::Reason::other_cookie);
  EXPECT_EQ(with([&](auto& c) { c.local = other.local, c.remote = other.remote, c.cookie = other.cookie; }),
            abi::Reason::other_inode);
  ::shutdown(loop.opener.get(), SHUT_WR);
  EXPECT_EQ(books.refusal(truth), abi::Reason::not_established);
  EXPECT_TRUE(books.descriptors.empty()) << "no memory left the monitor";
}

TEST(Registry, ADenialKeepsMemoryUnsharedAndAPolicyCanBeTakenBack) {
  const LoopbackConnection loop;
  Books books("deny any");
  books.pair(claim_of(loop.opener));
  (void)books.next();
  books.pair(claim_of(loop.acceptor));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(books.next().reason, abi::Reason::denied_by_policy);
  EXPECT_TRUE(books.descriptors.empty());
  EXPECT_NE(books.status().find("\"denied\":1"), std::string::npos) << books.status();
  books.registry.set_policy({});
  books.pair(claim_of(loop.opener));
  EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
  EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
  EXPECT_TRUE(books.others.empty());
  books.registry.set_policy(parse_policy("deny any").policy);
  EXPECT_EQ(books.others, std::vector(2, abi::MessageType::withdrawn));
}

TEST(Registry, AnAdoptedSocketWaitsWhileAnotherProcessHasItToo) {
  const LoopbackConnection loop;
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
  books.pair(adopted(loop.opener));
  const abi::Answer shared = books.next();
  EXPECT_EQ(shared.outcome, abi::Outcome::waiting);
  EXPECT_EQ(shared.reason, abi::Reason::shared_by_more);
  books.pair(claim_of(loop.acceptor));
  EXPECT_EQ(books.next().outcome, abi::Outcome::waiting);
  ::close(gone[1]);
  ::close(gone[0]);
  ::waitpid(child, nullptr, 0);
  // With a libsd that came after the child had ended.
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  books.process->attached_ns = now.tv_sec * 1'000'000'000ll + now.tv_nsec;
  books.pair(adopted(loop.opener));
  EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
  EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
}

TEST(Registry, AfterARestartBothEndsMustTellTheSameStory) {
  const LoopbackConnection loop;
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
  restore(loop.opener, zero);
  EXPECT_EQ(books.next().outcome, abi::Outcome::waiting);
  restore(loop.acceptor, zero);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(books.next().reason, abi::Reason::inconsistent);
  restore(loop.acceptor, one);
  for (int i = 0; i < 2; ++i) {
    const abi::Answer answer = books.next();
    EXPECT_EQ(answer.outcome, abi::Outcome::shared);
    EXPECT_EQ(answer.place.slot, 3u);
    EXPECT_EQ(answer.has_memory, 0u);
  }
  books.registry.release(*books.process, claim_of(loop.opener).cookie);
  books.registry.release(*books.process, claim_of(loop.acceptor).cookie);
  books.registry.forget(*books.process);
  EXPECT_NE(books.status().find("\"slabs\":0"), std::string::npos) << books.status();
}

}  // namespace
}  // namespace sockdoc::monitor
