#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/fd.h"

namespace sockdoc::monitor {

/** Bytes that one process has set aside (abi/unread.h), and the socket of the other that is to send them. */
struct GivingBack {
  std::uint64_t asking = 0;    // serial of the process that asks
  std::uint64_t sequence = 0;  // of its request
  uid_t uid = 0;
  Fd asker;                  // pidfds
  int memory = -1;           // a descriptor of the asker
  std::uint64_t reader = 0;  // cookie of the socket that they are read from
  std::uint64_t bytes = 0;
  Fd sender;
  Fd sender_proc;   // /proc/PID
  int socket = -1;  // a descriptor of the sender, unless it has moved
  std::uint64_t inode = 0;
  std::uint64_t cookie = 0;
};

/**
 * Gives bytes back to the kernel in the name of the peer, each on a thread of its own: to get a descriptor of another
 * process, or to close it, can take as long as its owner wants. Nothing is waited for otherwise, but for a socket that
 * is about to take more. Destroyed while threads are at work, it leaves them alone.
 */
class GiversBack {
 public:
  GiversBack();

  /** False: there are too many at work, or it cannot be. */
  [[nodiscard]] bool start(GivingBack job);

  /** Readable when refused() has something to say. */
  [[nodiscard]] int fd() const;
  /** Those whose askers could not be told in their memory: it was not to be had, or is none. */
  struct Refused {
    std::uint64_t asking;
    std::uint64_t sequence;
  };
  [[nodiscard]] std::vector<Refused> refused();
  /** How many times all bytes went. */
  [[nodiscard]] std::uint64_t returned() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace sockdoc::monitor
