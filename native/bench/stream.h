#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace sockdoc::bench {

/** Where a server listens: "tcp:PORT" on 127.0.0.1, where port 0 is any free one, or "unix:PATH". */
struct Address {
  std::string path;  // empty: TCP
  std::uint16_t port = 0;

  [[nodiscard]] std::string text() const;
};
[[nodiscard]] Result<Address> parse_address(const std::string& text);

/** Listens, and says in `address` which port it became. */
[[nodiscard]] Result<Fd> listen_at(Address& address);
/** TCP with TCP_NODELAY, as programs that exchange messages have it. */
[[nodiscard]] Result<Fd> connect_to(const Address& address);
[[nodiscard]] Result<Fd> accept_from(int listener);

/** By blocking calls, again after EINTR and short ones; false with errno, 0 for the end of the stream. */
[[nodiscard]] bool send_all(int fd, std::span<const std::byte> bytes);
[[nodiscard]] bool receive_all(int fd, std::span<std::byte> bytes);

/** What a connection begins with. */
struct Opening {
  static constexpr std::uint64_t kMagic = 0x68636e6562646373;  // "scdbench"
  std::uint64_t magic;
  std::uint64_t bytes;  // of every message
};

/** The first byte of a message: what its receiver does. */
enum class Kind : std::uint8_t {
  echo,    // sends it back
  stream,  // counts it
  last,    // counts it and answers with a Tally
};

/** What the receiver of a stream has counted, from the first message's arrival to the last one's. */
struct Tally {
  std::uint64_t messages;
  std::uint64_t ns;
  std::uint64_t cpu_ns;  // of the receiver
};

constexpr std::uint64_t kMostBytes = std::uint64_t{16} << 20;

}  // namespace sockdoc::bench
