#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sockdoc {

/** What a descriptor refers to, by the text of its link in /proc/PID/fd. The names are those of `DescriptorDetail`. */
struct DescriptorKind {
  std::string_view name;    // "socket", "pipe", "epoll", "file", …; lives as long as the program
  std::uint64_t inode = 0;  // of a socket or pipe
};

/** The beginning of a target is enough, 32 bytes at least. */
DescriptorKind descriptor_kind(std::string_view target);

/**
 * The kind of a socket from the kernel's name for its protocol ("TCPv6", "UNIX-STREAM", "AF_VSOCK"): "tcp", "unix",
 * "vsock".
 */
std::string socket_kind(std::string_view protocol);

}  // namespace sockdoc
