#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace sockdoc {

using Bytes = std::span<const std::byte>;

/** The structure of type T at the front of `bytes`; nothing when they are too few. */
template <typename T>
std::optional<T> read_as(Bytes bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/** As read_as, for structures that grow with the kernel: what is not there is zero. `bytes.size()` says how much is. */
template <typename T>
T read_prefix(Bytes bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value{};
  std::memcpy(&value, bytes.data(), bytes.size() < sizeof(T) ? bytes.size() : sizeof(T));
  return value;
}

/** What follows the first `length` bytes, aligned as netlink does; empty when there is no more. */
Bytes after(Bytes bytes, std::size_t length);

/** One netlink attribute; `type` is without its flags (nested, network byte order). */
struct Attribute {
  std::uint16_t type = 0;
  Bytes payload;

  template <typename T>
  [[nodiscard]] std::optional<T> as() const {
    return read_as<T>(payload);
  }
  /** An unsigned number of 1, 2, 4 or 8 bytes, by its length; 0 for any other length. */
  [[nodiscard]] std::uint64_t number() const;
  /** Up to the terminating zero, which not all senders write. */
  [[nodiscard]] std::string_view text() const;
};

/**
 * The attributes in `bytes`, for a range-based for. Ends at the first one that does not fit: what a truncated or
 * malformed message holds after that is not looked at.
 */
class Attributes {
 public:
  class Iterator {
   public:
    explicit Iterator(Bytes rest) : rest_(rest) { decode(); }
    const Attribute& operator*() const { return attribute_; }
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return rest_.size() != other.rest_.size(); }

   private:
    void decode();
    Bytes rest_;
    std::size_t taken_ = 0;
    Attribute attribute_;
  };

  explicit Attributes(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] Iterator begin() const { return Iterator(bytes_); }
  [[nodiscard]] Iterator end() const { return Iterator(Bytes()); }
  /** The first of this type. */
  [[nodiscard]] std::optional<Attribute> find(std::uint16_t type) const;

 private:
  Bytes bytes_;
};

/** A request in the making: header, fixed part, attributes. */
class NetlinkRequest {
 public:
  /** `flags` beside NLM_F_REQUEST: NLM_F_DUMP for all objects, NLM_F_ACK for exactly one. */
  NetlinkRequest(std::uint16_t type, std::uint16_t flags);

  template <typename T>
  NetlinkRequest& append(const T& fixed) {
    static_assert(std::is_trivially_copyable_v<T>);
    return append_bytes(std::as_bytes(std::span(&fixed, 1)));
  }
  template <typename T>
  NetlinkRequest& attribute(std::uint16_t type, const T& number) {
    static_assert(std::is_arithmetic_v<T>);
    return attribute_bytes(type, std::as_bytes(std::span(&number, 1)));
  }
  /** A string with its terminating zero. */
  NetlinkRequest& attribute_text(std::uint16_t type, std::string_view text);
  NetlinkRequest& attribute_bytes(std::uint16_t type, Bytes payload);
  /** Everything until end_nested() with the returned offset is inside. */
  [[nodiscard]] std::size_t begin_nested(std::uint16_t type);
  NetlinkRequest& end_nested(std::size_t offset);

  [[nodiscard]] bool dump() const;
  /** The finished message under this sequence number. */
  [[nodiscard]] Bytes finish(std::uint32_t sequence);

 private:
  NetlinkRequest& append_bytes(Bytes bytes);
  std::vector<std::byte> message_;
};

/** How a dump ended. */
struct NetlinkEnd {
  /** NLM_F_DUMP_INTR: objects came or went meanwhile, so one may be missing or twice there. */
  bool interrupted = false;
  /** The handler of request_some() had enough. */
  bool stopped = false;
};

/**
 * Called for each message of an answer, headers taken off. The bytes live until it returns.
 */
using NetlinkHandler = std::function<void(std::uint16_t type, Bytes payload)>;

/**
 * Calls the handler for every whole message in one received datagram; true once the answer is complete, or the error
 * that the kernel gave. Apart from the socket, for tests on recorded and on damaged bytes.
 */
Result<bool> walk_messages(Bytes datagram, std::uint32_t sequence, const NetlinkHandler& handler, NetlinkEnd& end);

/** A netlink socket for requests and their answers, in the network namespace of the thread that opened it. */
class NetlinkSocket {
 public:
  static Result<NetlinkSocket> open(int protocol);

  /**
   * Sends the request and hands over the answer, message by message. An error of the kernel (ENODEV, EOPNOTSUPP, EPERM)
   * is the Error; so is ETIMEDOUT after 10 s of silence. One request at a time; not for several threads.
   */
  Result<NetlinkEnd> request(NetlinkRequest& request, const NetlinkHandler& handler);

  /** As request(), until the handler says false. The rest of the dump blocks this socket: it is of no further use. */
  Result<NetlinkEnd> request_some(NetlinkRequest& request,
                                  const std::function<bool(std::uint16_t type, Bytes payload)>& handler);

  /** SOL_NETLINK options that make newer kernels stricter or more talkative (NETLINK_GET_STRICT_CHK); false on others.
   */
  bool enable(int option);

 private:
  explicit NetlinkSocket(Fd fd) : fd_(std::move(fd)), buffer_(kBufferBytes) {}

  Status send(Bytes message);
  Result<Bytes> receive();

  // A dump fills at most 32 KiB per datagram, a single answer of a driver with many statistics may be longer.
  static constexpr std::size_t kBufferBytes = 256u << 10;
  Fd fd_;
  std::uint32_t sequence_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace sockdoc
