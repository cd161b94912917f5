#include "probes/descriptors/kinds.h"

#include <gtest/gtest.h>

namespace sockdoc {
namespace {

TEST(DescriptorKinds, AreToldByTheTarget) {
  EXPECT_EQ(descriptor_kind("socket:[123]").name, "socket");
  EXPECT_EQ(descriptor_kind("socket:[123]").inode, 123u);
  EXPECT_EQ(descriptor_kind("pipe:[7]").name, "pipe");
  EXPECT_EQ(descriptor_kind("pipe:[7]").inode, 7u);
  EXPECT_EQ(descriptor_kind("anon_inode:[eventpoll]").name, "epoll");
  EXPECT_EQ(descriptor_kind("anon_inode:inotify").name, "inotify");
  EXPECT_EQ(descriptor_kind("anon_inode:[io_uring]").name, "io_uring");
  EXPECT_EQ(descriptor_kind("anon_inode:bpf-map").name, "bpf");
  EXPECT_EQ(descriptor_kind("anon_inode:kvm-vcpu:0").name, "anonymous");
  EXPECT_EQ(descriptor_kind("pidfd:[44]").name, "pidfd");
  EXPECT_EQ(descriptor_kind("/memfd:x (deleted)").name, "memfd");
  EXPECT_EQ(descriptor_kind("net:[4026531840]").name, "namespace");
  EXPECT_EQ(descriptor_kind("/dev/pts/0").name, "terminal");
  EXPECT_EQ(descriptor_kind("/dev/shm/x").name, "file");
  EXPECT_EQ(descriptor_kind("/dev/null").name, "device");
  EXPECT_EQ(descriptor_kind("/srv/a (deleted)").name, "file");
  EXPECT_EQ(descriptor_kind("").name, "other");
  EXPECT_EQ(descriptor_kind("socket:[").name, "other");
}

TEST(DescriptorKinds, OfSocketsByTheirProtocol) {
  EXPECT_EQ(socket_kind("TCPv6"), "tcp");
  EXPECT_EQ(socket_kind("UDP"), "udp");
  EXPECT_EQ(socket_kind("UNIX-STREAM"), "unix");
  EXPECT_EQ(socket_kind("AF_VSOCK"), "vsock");
  EXPECT_EQ(socket_kind("NETLINK"), "netlink");
  EXPECT_EQ(socket_kind("MPTCPv6"), "mptcp");
  EXPECT_EQ(socket_kind(""), "socket");
}

}  // namespace
}  // namespace sockdoc
