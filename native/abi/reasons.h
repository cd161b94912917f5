#pragma once

#include <iterator>

#include "abi/messages.h"

namespace sockdoc::abi {

/** A reason in words that go on from "the kernel carries it, because …". */
[[nodiscard]] constexpr const char* reason_text(Reason reason) {
  constexpr const char* kTexts[] = {
      "",
      "the monitor could not read the request",
      "libsd and the monitor are of different versions",
      "libsd and the monitor know different layouts of shared memory",
      "the process has not registered with the monitor",
      "the request came from another process than the one that registered",
      "the process is not the one it says it is",
      "the process is in a process namespace that the monitor does not see",
      "the monitor may not read the process's descriptors",
      "the descriptor is not the socket that was named",
      "the kernel knows no such connection in the process's network namespace",
      "the connection has another cookie",
      "the connection has another inode",
      "the connection is not established",
      "the socket is connected to itself",
      "the monitor may not look into the process's network namespace",
      "the byte counts of the two ends do not fit each other",
      "the peer is not under libsd, or has not asked yet",
      "the peer has ended",
      "the peer stays on the kernel",
      "the peer is in another network namespace",
      "more processes hold the socket than may share the memory",
      "the two ends belong to different users and no rule allows that",
      "the policy denies it",
      "the process has as many connections as it may",
      "the process has as many slabs as it may",
      "the process has as much shared memory as it may",
      "there is no memory for a slab",
      "the monitor has no descriptors left",
      "only the monitor's own user may do that",
      "nothing has been sent yet",
      "it has carried too little so far",
      "urgent data was sent",
      "the descriptor is used with io_uring",
      "an upper protocol such as kTLS is set on the socket",
      "the descriptor was passed to another process",
      "the descriptor went through exec into a program without libsd",
      "libsd met an inconsistency",
      "libsd is switched off",
      "a reason that this monitor does not know",
      "an option of the socket needs the kernel",
      "the program wants signals for it",
      "the peer wrote into the shared memory what cannot be",
      "the program moves its bytes by splice",
      "the descriptor is in an epoll set that is waited for in another set or by poll",
      "the descriptor is in an epoll set that another process uses too",
      "what an epoll set wants to know of the descriptor cannot be followed",
      "it was reset, since bytes in shared memory could not go along with it",
  };
  static_assert(std::size(kTexts) == static_cast<std::size_t>(Reason::count_));
  const auto at = static_cast<std::size_t>(reason);
  return at < std::size(kTexts) ? kTexts[at] : kTexts[static_cast<std::size_t>(Reason::other)];
}

}  // namespace sockdoc::abi
