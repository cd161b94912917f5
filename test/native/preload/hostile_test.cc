#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "preload/monitor/link.h"
#include "preload/originals.h"
#include "preload/readiness/sets.h"
#include "ringed_pair.h"
#include "transport/stream_receiver.h"

// A peer that writes anything anywhere into the memory that both ends map, at any time, and then dies. Whoever has the
// other end is told of a reset, or reads garbage; it does not crash, hang or touch other memory (AddressSanitizer).
namespace sockdoc::preload {
namespace {

using Random = std::mt19937_64;

std::uint64_t below(Random& random, std::uint64_t limit) { return random() % limit; }

/** The other end, in a process of its own. */
class Scribbler {
 public:
  Scribbler(RingedPair& pair, std::uint64_t seed) : process_(::fork()) {
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(pair.fd);
      scribble(pair, seed);
    }
    pair.close_peer();
  }
  ~Scribbler() { end(); }
  Scribbler(const Scribbler&) = delete;
  Scribbler& operator=(const Scribbler&) = delete;

  void end() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(std::exchange(process_, -1), nullptr, 0);
  }

 private:
  using Word = std::atomic<std::uint64_t>;

  [[noreturn]] static void scribble(const RingedPair& pair, std::uint64_t seed) {
    Random random(seed);
    // How often it is honest before and between: the states that are far from the beginning.
    const std::uint64_t honest = std::array{0, 50, 500}[below(random, 3)];
    const bool wild = below(random, 2) == 0;
    auto* const words = reinterpret_cast<Word*>(&pair.slot());
    constexpr std::size_t kWords = sizeof(abi::SlotHead) / sizeof(Word);
    // A few words that are wrong may go unnoticed until much later.
    std::uint64_t left = below(random, 3) != 0 ? below(random, 40) + 1 : ~std::uint64_t{0};
    while (left > 0) {
      if (below(random, honest + 10) >= 10) {
        be_honest(pair, random);
        continue;
      }
      left--;
      Word& word = words[below(random, kWords)];
      word = wild ? anything(random, words, kWords) : a_little(random, word);
      if (below(random, 20) == 0) by_kernel(pair.peer(), random);
      if (below(random, 10) == 0) ::usleep(static_cast<unsigned>(below(random, 200)));
    }
    for (;;) ::pause();
  }

  static std::uint64_t anything(Random& random, const Word* words, std::size_t count) {
    switch (below(random, 6)) {
      case 0:
        return 0;
      case 1:
        return ~std::uint64_t{0} - below(random, 4);
      case 2:
        return random();
      case 3:
        return below(random, 1 << 20);
      default:
        return words[below(random, count)] + below(random, 5) - 2;
    }
  }

  static std::uint64_t a_little(Random& random, std::uint64_t word) {
    const std::uint64_t step = std::uint64_t{1} << below(random, 18);
    switch (below(random, 3)) {
      case 0:
        return word + step;
      case 1:
        return word - step;
      default:
        return word ^ step;
    }
  }

  static void be_honest(const RingedPair& pair, Random& random) {
    static std::array<std::byte, 20000> bytes;
    const std::size_t size = below(random, bytes.size()) + 1;
    const KernelStream kernel(pair.peer());
    if (below(random, 2) == 0) {
      StreamSender to(pair.slot().directions[0], pair.ring(0), kernel);
      if (!to.kernel_wanted() && to.drained()) (void)to.switch_to(abi::Carrier::ring);
      (void)to.send(std::span(bytes).first(size));
    } else {
      StreamReceiver from(pair.slot().directions[1], pair.ring(1), kernel);
      from.awake();
      (void)from.receive(std::span(bytes).first(size));
    }
  }

  static void by_kernel(int fd, Random& random) {
    std::array<char, 500> bytes{};
    const std::size_t size = below(random, bytes.size());
    if (below(random, 2) == 0) {
      (void)!::send(fd, bytes.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
      (void)!::recv(fd, bytes.data(), size, MSG_DONTWAIT);
    }
  }

  pid_t process_;
};

/** A program that uses its end in all the ways there are; memory is as large as it says, and not a byte more. */
class Victim {
 public:
  Victim(int fd, std::uint64_t seed) : fd_(fd), random_(seed), set_(sockdoc_hook_epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event = {};
    event.events = EPOLLIN | (below(random_, 2) == 0 ? EPOLLET : 0U);
    sockdoc_hook_epoll_ctl(set_, EPOLL_CTL_ADD, fd, &event);
    wait_at_most(10'000);
  }
  ~Victim() { sockdoc_hook_close(set_); }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  void do_something() {
    const auto start = std::chrono::steady_clock::now();
    switch (below(random_, 12)) {
      case 0:
      case 1:
      case 2:
        receive();
        break;
      case 3:
        receive_parts();
        break;
      case 4:
      case 5:
      case 6:
        send();
        break;
      case 7:
        send_parts();
        break;
      case 8:
        send_file();
        break;
      case 9:
        splice();
        break;
      case 10:
        wait();
        break;
      default:
        ask();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << "it hangs";
  }

  /** Without time limits: everything that it does comes to an end once nobody has the other end. */
  void see_the_end() {
    wait_at_most(0);
    sockdoc_hook_fcntl(fd_, F_SETFL, nullptr);
    const std::vector<char> out(100'000);
    bool refused = false;
    for (int turn = 0; turn < 1000 && !refused; turn++) {
      refused = sockdoc_hook_send(fd_, out.data(), out.size(), MSG_NOSIGNAL) < 0;
      if (turn > 5) ::usleep(1000);
    }
    EXPECT_TRUE(refused) << "sends to a peer that is dead";
    std::vector<char> in(100'000);
    bool ended = false;
    for (int turn = 0; turn < 1000 && !ended; turn++) ended = sockdoc_hook_recv(fd_, in.data(), in.size(), 0) <= 0;
    EXPECT_TRUE(ended) << "receives from a peer that is dead";
  }

 private:
  std::size_t some_size() {
    constexpr std::array<std::size_t, 5> kLimits = {8, 100, 5000, 20'000, 100'000};
    return below(random_, kLimits[below(random_, kLimits.size())]) + 1;
  }

  void wait_at_most(int microseconds) const {
    const timeval limit = {0, microseconds};
    sockdoc_hook_setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockdoc_hook_setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }

  static void check(const char* what, ssize_t result, std::size_t size) {
    static const std::set<int> kOfTcp = {EAGAIN,       ECONNRESET,  EPIPE,    ETIMEDOUT,
                                         EHOSTUNREACH, ENETUNREACH, ENOTCONN, ECONNREFUSED};
    if (result >= 0) {
      EXPECT_LE(static_cast<std::size_t>(result), size) << what;
    } else {
      EXPECT_TRUE(kOfTcp.contains(errno)) << what << ": " << errno;
    }
  }

  void receive() {
    const std::size_t size = some_size();
    const auto into = std::make_unique<char[]>(size);
    constexpr std::array<int, 6> kFlags = {0, MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL, MSG_TRUNC, MSG_PEEK | MSG_DONTWAIT};
    check("recv", sockdoc_hook_recv(fd_, into.get(), size, kFlags[below(random_, kFlags.size())]), size);
  }

  struct Parts {
    std::vector<std::unique_ptr<char[]>> memory;
    std::vector<iovec> list;
    std::size_t bytes = 0;
  };
  Parts some_parts() {
    Parts parts;
    for (std::size_t i = below(random_, 5) + 1; i > 0; i--) {
      const std::size_t size = some_size();
      parts.memory.push_back(std::make_unique<char[]>(size));
      parts.list.push_back({parts.memory.back().get(), size});
      parts.bytes += size;
    }
    return parts;
  }

  void receive_parts() {
    Parts parts = some_parts();
    msghdr message = {};
    message.msg_iov = parts.list.data();
    message.msg_iovlen = parts.list.size();
    constexpr std::array<int, 4> kFlags = {0, MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL};
    check("recvmsg", sockdoc_hook_recvmsg(fd_, &message, kFlags[below(random_, kFlags.size())]), parts.bytes);
  }

  void send() {
    const std::size_t size = some_size();
    const auto from = std::make_unique<char[]>(size);
    const int flags = below(random_, 2) == 0 ? MSG_DONTWAIT : 0;
    check("send", sockdoc_hook_send(fd_, from.get(), size, flags | MSG_NOSIGNAL), size);
  }

  void send_parts() {
    const Parts parts = some_parts();
    check("writev", sockdoc_hook_writev(fd_, parts.list.data(), static_cast<int>(parts.list.size())), parts.bytes);
  }

  void send_file() {
    const int file = ::memfd_create("sent", MFD_CLOEXEC);
    const std::size_t size = some_size();
    EXPECT_EQ(::ftruncate(file, static_cast<off_t>(size)), 0);
    check("sendfile", sockdoc_hook_sendfile(fd_, file, nullptr, size), size);
    ::close(file);
  }

  void splice() {
    if (below(random_, 10) != 0) return;  // what is received goes by the kernel afterwards
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const ssize_t result = sockdoc_hook_splice(fd_, nullptr, pipe[1], nullptr, 10'000, SPLICE_F_NONBLOCK);
    check("splice", result, 10'000);
    for (const int fd : pipe) ::close(fd);
  }

  void wait() {
    pollfd one = {fd_, POLLIN, 0};
    epoll_event event = {};
    const int limit = static_cast<int>(below(random_, 5));
    const int found =
        below(random_, 2) == 0 ? sockdoc_hook_poll(&one, 1, limit) : sockdoc_hook_epoll_wait(set_, &event, 1, limit);
    EXPECT_GE(found, 0);
    EXPECT_LE(found, 1);
  }

  void ask() {
    int bytes = -1;
    EXPECT_EQ(sockdoc_hook_ioctl(fd_, FIONREAD, &bytes), 0);
    EXPECT_GE(bytes, 0);
    sockdoc_socket_state state = {};
    EXPECT_TRUE(table.read(fd_, state));
    const int on = static_cast<int>(below(random_, 2));
    sockdoc_hook_setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  int fd_;
  Random random_;
  int set_;
};

void rounds(int count, int operations) {
  static const std::uint64_t first = [] {
    const char* given = std::getenv("SOCKDOC_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }();
  for (int i = 0; i < count && !testing::Test::HasFailure(); i++) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    SCOPED_TRACE("SOCKDOC_SEED=" + std::to_string(seed));
    ::alarm(120);  // a hang ends the test
    RingedPair pair;
    if (testing::Test::HasFailure()) return;
    Scribbler peer(pair, seed);
    {
      Victim victim(pair.fd, seed + 1);
      for (int done = 0; done < operations; done++) victim.do_something();
      peer.end();
      victim.see_the_end();
    }
    ::alarm(0);
  }
}

TEST(Hostile, APeerThatScribblesOverAllThatIsSharedGivesAResetOrGarbage) {
  sockdoc_resolve_originals();
  ASSERT_TRUE(table.mine() || table.start());
  monitor_link.configure("/nonexistent/monitor.sock");
  if (!epoll_sets.started()) epoll_sets.start();
  std::signal(SIGPIPE, SIG_IGN);
  rounds(60, 100);
}

}  // namespace
}  // namespace sockdoc::preload
