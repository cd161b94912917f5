#pragma once

#include <functional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "probes/events/destroy_message.h"

namespace sockdoc {

/**
 * Subscribes to the end of every TCP socket of the network namespace of the thread that opens it (sock_diag's destroy
 * groups, Linux 4.2). Needs no privilege beyond being in that namespace; with CAP_NET_ADMIN in the initial user
 * namespace its buffer may be larger than net.core.rmem_max. Closing it ends the subscription.
 */
class DestroySocket {
 public:
  /** `buffer_bytes` is what is asked for; the kernel accounts about 1.3 KiB of it per event. */
  static Result<DestroySocket> open(int buffer_bytes = kBufferBytes);

  [[nodiscard]] int fd() const { return fd_.get(); }
  /** Events that fit into the buffer, roughly. */
  [[nodiscard]] std::size_t room() const { return room_; }

  /** Hands over what waits, without blocking. False when the kernel dropped events since the last call. */
  bool drain(const std::function<void(const EndedSocket&)>& on_ended);

 private:
  static constexpr int kBufferBytes = 16 << 20;  // the kernel doubles it
  explicit DestroySocket(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
  std::size_t room_ = 0;
};

}  // namespace sockdoc
