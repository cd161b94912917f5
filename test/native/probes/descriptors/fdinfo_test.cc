#include "probes/descriptors/fdinfo.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/fd.h"

namespace sockdoc {
namespace {

TEST(FdInfo, FlagsAndWhatItsKindAdds) {
  const FdInfo info = parse_fdinfo(
      "pos:\t0\nflags:\t02004002\nmnt_id:\t17\nino:\t1039\neventfd-count:                3\neventfd-id: 1\n",
      "eventfd");
  EXPECT_EQ(info.flags, static_cast<std::uint64_t>(O_CLOEXEC | O_NONBLOCK | O_RDWR));
  EXPECT_EQ(info.inode, 1039u);
  ASSERT_EQ(info.extra.size(), 1u);
  EXPECT_EQ(info.extra[0], (std::pair<std::string, std::string>("eventfd-count", "3")));
}

TEST(FdInfo, WatchesOfInotifyAreCounted) {
  const FdInfo info =
      parse_fdinfo("flags:\t00\ninotify wd:1 ino:3f sdev:fe mask:2\ninotify wd:2 ino:40 sdev:fe\n", "inotify");
  ASSERT_EQ(info.extra.size(), 1u);
  EXPECT_EQ(info.extra[0].second, "2");
}

TEST(FdInfo, WithoutFlagsNothingIsKnown) { EXPECT_FALSE(parse_fdinfo("pos:\t0\n", "file").flags); }

TEST(EpollWatches, WithTheirEvents) {
  std::vector<EpollWatch> watches;
  parse_watches(
      "pos:\t0\nflags:\t02\n"
      "tfd:       12 events: 10000019 data:     7fcb0000000c  pos:0 ino:95dc2 sdev:f\n"
      "tfd:        3 events: 80002018 data:     7fcb00000003  pos:0 ino:95db1 sdev:9\n",
      watches);
  ASSERT_EQ(watches.size(), 2u);
  EXPECT_EQ(watches[0].fd, 12);
  EXPECT_EQ(watches[0].inode, 0x95dc2u);
  EXPECT_EQ(event_names(watches[0].events), (std::vector<std::string_view>{"EPOLLIN", "EPOLLEXCLUSIVE"}));
  EXPECT_EQ(event_names(watches[1].events), (std::vector<std::string_view>{"EPOLLRDHUP", "EPOLLET"}));
}

TEST(EpollWatches, AreReadWholeAlsoWhereTheyFillSeveralBuffers) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur < 2048) GTEST_SKIP() << "may not open 2048 descriptors here";
  const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  std::vector<Fd> held;
  epoll_event event{};
  event.events = EPOLLOUT | EPOLLET;
  for (int i = 0; i < 900; ++i) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    held.emplace_back(ends[0]);
    held.emplace_back(ends[1]);
    ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, ends[1], &event), 0);
  }
  const auto set = read_epoll(("/proc/self/fdinfo/" + std::to_string(epoll.get())).c_str());
  ASSERT_TRUE(set);
  EXPECT_EQ(set->watches.size(), 900u);
  ASSERT_TRUE(set->info.flags);
  EXPECT_NE(*set->info.flags & O_CLOEXEC, 0u);
  for (const EpollWatch& watch : set->watches) {
    EXPECT_EQ(event_names(watch.events), (std::vector<std::string_view>{"EPOLLOUT", "EPOLLET"}));
  }
  EXPECT_FALSE(read_epoll("/proc/self/fdinfo/999999"));
}

}  // namespace
}  // namespace sockdoc
