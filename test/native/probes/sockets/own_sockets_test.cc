// What the probe finds of sockets that this process really has.
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <vector>

#include "live_sockets.h"
#include "probes/sockets/descriptor_flags.h"
#include "probes/sockets/select_sampler.h"
#include "probes/sockets/socket_options.h"
#include "probes/sockets/socket_probe.h"

namespace sockdoc {
namespace {

/** Our own namespace, read now. */
struct Seen {
  Gaps gaps;
  ProcessTable processes = ProcessTable::read({::getpid()}, {}, gaps);
  DescriptorTable descriptors = DescriptorTable::read(processes, gaps);
  NetnsSockets sockets;

  explicit Seen(const ConnectionBase* base = nullptr)
      : sockets(read_netns_sockets({"", true}, processes, descriptors, base, gaps)) {}

  const ConnectionRow* row(const Fd& socket) const {
    for (const ConnectionRow& row : sockets.connections) {
      if (row.socket.inode == inode_of(socket)) return &row;
    }
    return nullptr;
  }
  const ListenerRow* listener(const Fd& socket) const {
    for (const ListenerRow& row : sockets.listeners) {
      if (row.socket.inode == inode_of(socket)) return &row;
    }
    return nullptr;
  }
  const ProcessEntry& own() const {
    return *std::find_if(processes.all().begin(), processes.all().end(),
                         [](const ProcessEntry& process) { return process.pid == ::getpid(); });
  }
};

template <typename Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

TEST(OwnSockets, ListenerWithItsQueueAndOwner) {
  const Fd server = listening(7);
  const Fd first = connected_to(server), second = connected_to(server), third = connected_to(server);
  const Fd accepted = accepted_from(server);
  ASSERT_TRUE(accepted.valid());
  const Seen seen;
  const ListenerRow* listener = seen.listener(server);
  ASSERT_NE(listener, nullptr);
  EXPECT_EQ(listener->socket.receive_queue, 2u);
  EXPECT_EQ(listener->socket.send_queue, 7u);
  EXPECT_EQ(listener->socket.local_port, port_of(server));
  EXPECT_EQ(listener->connections, 3u) << "those that wait for accept() too";
  ASSERT_EQ(listener->serving.size(), 1u);
  EXPECT_EQ(seen.processes.at(listener->serving.begin()->first).pid, ::getpid());
  EXPECT_EQ(listener->serving.begin()->second, 1u);
  const auto held = seen.descriptors.find(inode_of(server));
  ASSERT_NE(held, DescriptorTable::kNone);
  EXPECT_EQ(seen.descriptors.at(held).fd, server.get());
  EXPECT_GE(seen.own().tcp[kListen], 1u);
  EXPECT_GE(seen.own().tcp[kEstablished], 4u);
}

TEST(OwnSockets, BothFamiliesInOneDumpAreThoseOfTwo) {
  const Fd ipv4 = listening(5);
  const Fd ipv6(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!ipv6.valid() || ::listen(ipv6.get(), 7) != 0) GTEST_SKIP() << "no IPv6";
  auto socket = NetlinkSocket::open(NETLINK_SOCK_DIAG);
  ASSERT_TRUE(socket);
  std::map<std::uint32_t, std::vector<InetSocket>> by_inode;
  const auto take = [&](const InetSocket& found) {
    if (found.inode == inode_of(ipv4) || found.inode == inode_of(ipv6)) by_inode[found.inode].push_back(found);
  };
  ASSERT_TRUE(dump_tcp(*socket, take));
  for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    ASSERT_TRUE(dump_inet(*socket, family, IPPROTO_TCP, take));
  }
  for (const Fd* own : {&ipv4, &ipv6}) {
    const std::vector<InetSocket>& found = by_inode[inode_of(*own)];
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].family, own == &ipv4 ? AF_INET : AF_INET6);
    EXPECT_EQ(found[0].family, found[1].family);
    EXPECT_EQ(found[0].cookie, found[1].cookie);
    EXPECT_EQ(found[0].local, found[1].local);
    EXPECT_EQ(found[0].send_queue, own == &ipv4 ? 5u : 7u);
    EXPECT_EQ(found[0].info.length, found[1].info.length);
    EXPECT_EQ(found[0].memory.values, found[1].memory.values);
    EXPECT_EQ(found[0].congestion_control, found[1].congestion_control);
  }
}

TEST(OwnSockets, QueuesAndWindowOfAConnection) {
  const Fd server = listening(5);
  const Fd client = connected_to(server);
  const Fd accepted = accepted_from(server);
  const std::string before(1000, 'a'), within(2345, 'b');
  ASSERT_EQ(::send(client.get(), before.data(), before.size(), 0), 1000);
  const Seen first;
  ASSERT_EQ(::send(client.get(), within.data(), within.size(), 0), 2345);
  ASSERT_TRUE(eventually([&] {
    const Seen now(first.sockets.base.get());
    const ConnectionRow* row = now.row(accepted);
    return row != nullptr && row->socket.receive_queue == 3345;
  }));
  const Seen second(first.sockets.base.get());
  const ConnectionRow* sent = second.row(client);
  const ConnectionRow* received = second.row(accepted);
  ASSERT_NE(sent, nullptr);
  ASSERT_NE(received, nullptr);
  EXPECT_TRUE(sent->activity.windowed);
  EXPECT_FALSE(sent->activity.opened);
  EXPECT_EQ(sent->activity.moved.sent, 2345u);
  EXPECT_EQ(received->activity.moved.received, 2345u);
  EXPECT_EQ(received->socket.info.fields.bytes_received, 3345u);
  EXPECT_NE(received->reasons & 1u << kUnread, 0u);
  EXPECT_EQ(sent->socket.remote_port, port_of(server));
  EXPECT_GT(sent->socket.info.fields.rtt, 0u);
}

TEST(OwnSockets, UdpQueueAndDrops) {
  const Fd receiver = bound(SOCK_DGRAM), sender = bound(SOCK_DGRAM);
  const int small = 2048;
  ASSERT_EQ(::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  const Seen first;
  const sockaddr_in target = loopback(port_of(receiver));
  for (int i = 0; i < 50; ++i) {
    char bytes[500] = {};
    ASSERT_EQ(::sendto(sender.get(), bytes, sizeof bytes, 0, reinterpret_cast<const sockaddr*>(&target), sizeof target),
              500);
  }
  const Seen second(first.sockets.base.get());
  const auto found = std::find_if(second.sockets.udp.begin(), second.sockets.udp.end(),
                                  [&](const UdpRow& row) { return row.socket.inode == inode_of(receiver); });
  ASSERT_NE(found, second.sockets.udp.end());
  EXPECT_GT(found->socket.receive_queue, 0u);
  EXPECT_GT(found->window_drops.value_or(0), 0u);
  EXPECT_LT(*found->window_drops, 50u);
}

TEST(OwnSockets, UnixListenerWithItsQueue) {
  const Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "sockdoc-test-" + std::to_string(::getpid());
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(server.get(), 3), 0);
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  const Seen seen;
  const auto found = std::find_if(seen.sockets.unix_sockets.begin(), seen.sockets.unix_sockets.end(),
                                  [&](const UnixRow& row) { return row.socket.inode == inode_of(server); });
  ASSERT_NE(found, seen.sockets.unix_sockets.end());
  EXPECT_TRUE(found->listening());
  EXPECT_EQ(found->name, '\0' + name);
  EXPECT_EQ(found->socket.receive_queue, 1u);
  EXPECT_EQ(found->socket.send_queue, 3u);
}

TEST(OwnSockets, EpollSetSaysWhichListenersItWatchesAndHow) {
  const Fd shared = listening(1), exclusive = listening(1);
  const Fd client = connected_to(shared);
  const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, shared.get(), &event), 0);
  ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, client.get(), &event), 0);
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, exclusive.get(), &event), 0);

  const Seen seen;
  Gaps gaps;
  const ProcessEntry& own = seen.own();
  const auto index = static_cast<std::uint32_t>(&own - seen.processes.all().data());
  const auto sets = read_epoll_sets(index, own, seen.descriptors, {inode_of(shared), inode_of(exclusive)}, gaps);
  const auto found = std::find_if(sets.begin(), sets.end(), [&](const EpollRow& row) { return row.fd == epoll.get(); });
  ASSERT_NE(found, sets.end());
  EXPECT_EQ(found->watches, 3u);
  ASSERT_EQ(found->listeners.size(), 2u);
  for (const WatchedListener& listener : found->listeners) {
    EXPECT_EQ(listener.exclusive, listener.inode == inode_of(exclusive));
  }
  EXPECT_TRUE(gaps.all().empty());
}

TEST(OwnSockets, CountsWhatAChildWouldInherit) {
  const Seen before;
  const Fd kept(::socket(AF_INET, SOCK_STREAM, 0)), closed(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Seen after;
  EXPECT_EQ(inheritable_sockets(after.own(), after.descriptors, 256),
            inheritable_sockets(before.own(), before.descriptors, 256) + 1);
  EXPECT_EQ(closes_on_exec("pos:\t0\nflags:\t02000002\n"), true);
  EXPECT_EQ(closes_on_exec("pos:\t0\nflags:\t02\n"), false);
  EXPECT_FALSE(closes_on_exec("pos:\t0\n"));
}

TEST(OwnSockets, OptionsThroughADuplicate) {
  const Fd server = listening(1);
  const Fd client = connected_to(server);
  const int on = 1, idle = 77, lowat = 4096, buffer = 20000;
  ASSERT_EQ(::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
  ASSERT_EQ(::setsockopt(client.get(), IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle), 0);
  ASSERT_EQ(::setsockopt(client.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat), 0);
  ASSERT_EQ(::setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer), 0);
  const auto options = read_options(::getpid(), client.get(), inode_of(client));
  if (!options && (options.error().code == ENOSYS || options.error().code == EPERM)) {
    GTEST_SKIP() << options.error().message();
  }
  ASSERT_TRUE(options);
  EXPECT_EQ(options->no_delay, true);
  EXPECT_EQ(options->keep_idle_s, 77);
  EXPECT_EQ(options->not_sent_low_water, 4096u);
  if (options->receive_buffer_locked) {  // Linux 5.15
    EXPECT_EQ(options->receive_buffer_locked, true);
    EXPECT_EQ(options->send_buffer_locked, false);
  }
  EXPECT_EQ(read_options(::getpid(), client.get(), inode_of(server)).error().code, ESTALE);
  EXPECT_FALSE(read_options(::getpid(), 1 << 20, inode_of(client)));
}

TEST(SelectSampler, SeesAThreadInSelectAndEndsAtOnce) {
  std::atomic<bool> stop = false;
  const Fd quiet = bound(SOCK_DGRAM);
  std::thread selecting([&] {
    while (!stop) {
      fd_set set;
      FD_ZERO(&set);
      FD_SET(quiet.get(), &set);
      timeval timeout{0, 200'000};
      ::select(quiet.get() + 1, &set, nullptr, nullptr, &timeout);
    }
  });
  SelectSampler sampler;
  std::vector<SelectSample> seen;
  const bool found = eventually([&] {
    sampler.start({::getpid()});
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    seen = sampler.stop();
    return !seen.empty();
  });
  stop = true;
  selecting.join();
  ASSERT_TRUE(found);
  EXPECT_EQ(seen[0].pid, ::getpid());
  EXPECT_NE(seen[0].tid, ::getpid());
  EXPECT_EQ(seen[0].nfds, quiet.get() + 1);
  EXPECT_FALSE(seen[0].comm.empty());
  EXPECT_TRUE(sampler.stop().empty());
}

TEST(SocketProbe, ReadingsWaitForEachOtherAndCloseDoesNotWaitForThem) {
  const Fd server = listening(1);
  const Fd high(::fcntl(server.get(), F_DUPFD_CLOEXEC, 1024));  // makes this process one to sample
  SocketProbe probe;
  const SocketsRequest request{{""}, {::getpid()}, {}, true, true};
  std::vector<std::thread> readers;
  std::array<std::string, 4> texts;
  for (std::string& text : texts) readers.emplace_back([&] { text = probe.read(request); });
  probe.close();
  for (std::thread& reader : readers) reader.join();
  const std::string wanted = "127.0.0.1:" + std::to_string(port_of(server));
  for (const std::string& text : texts) {
    EXPECT_NE(text.find(wanted), std::string::npos);
    EXPECT_TRUE(text.starts_with('{') && text.ends_with('}'));
  }
  // The sampling thread still runs: dropping the probe ends it.
}

TEST(SocketProbe, ANamespaceThatCannotBeEnteredIsAGap) {
  SocketProbe probe;
  const std::string text = probe.read({{"/proc/self/no-such-namespace", ""}, {}, {}, true, false});
  EXPECT_NE(text.find(R"({"path":"/proc/self/no-such-namespace"})"), std::string::npos) << text.substr(0, 300);
  EXPECT_NE(text.find("open /proc/self/no-such-namespace"), std::string::npos);
  EXPECT_NE(text.find("\"tcpTotal\""), std::string::npos) << "the other one is read";
}

}  // namespace
}  // namespace sockdoc
