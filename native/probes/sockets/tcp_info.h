#pragma once

#include <cstddef>
#include <cstdint>

#include "probes/netlink.h"

namespace sockdoc {

/**
 * struct tcp_info as Linux 6.18 gives it as far as it is used here. The kernel appends fields and never moves one, and
 * an older kernel answers with a shorter structure: what its length does not reach is unknown, not zero. It is written
 * out here because the headers of the build host may be older than the kernel that the program runs on.
 */
struct TcpInfoFields {
  std::uint8_t state, ca_state, retransmits, probes, backoff, options;
  std::uint8_t window_scales;  // send in the low four bits, receive in the high ones (little-endian bit-fields)
  std::uint8_t flags;          // bit 0: delivery rate is limited by the application
  std::uint32_t rto, ato, snd_mss, rcv_mss;
  std::uint32_t unacked, sacked, lost, retrans, fackets;
  std::uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
  std::uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
  std::uint32_t rcv_rtt, rcv_space;
  std::uint32_t total_retrans;
  std::uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
  std::uint32_t segs_out, segs_in;
  std::uint32_t notsent_bytes, min_rtt, data_segs_in, data_segs_out;
  std::uint64_t delivery_rate;
  std::uint64_t busy_time, rwnd_limited, sndbuf_limited;  // Linux 4.10; µs
  std::uint32_t delivered, delivered_ce;                  // 4.18
  std::uint64_t bytes_sent, bytes_retrans;                // 4.19
  std::uint32_t dsack_dups, reord_seen;                   // 4.19
  std::uint32_t rcv_ooopack;                              // 5.4
  std::uint32_t snd_wnd;                                  // 5.4
  std::uint32_t rcv_wnd;                                  // 6.2
  std::uint32_t rehash;                                   // 6.2
};
static_assert(offsetof(TcpInfoFields, rto) == 8);
static_assert(offsetof(TcpInfoFields, total_retrans) == 100);
static_assert(offsetof(TcpInfoFields, pacing_rate) == 104);
static_assert(offsetof(TcpInfoFields, delivery_rate) == 160);
static_assert(offsetof(TcpInfoFields, bytes_sent) == 200);
static_assert(offsetof(TcpInfoFields, snd_wnd) == 228);
static_assert(offsetof(TcpInfoFields, rcv_wnd) == 232);

/** A tcp_info and how much of it the kernel gave. */
struct TcpInfo {
  TcpInfoFields fields{};
  std::uint32_t length = 0;

  TcpInfo() = default;
  explicit TcpInfo(Bytes bytes)
      : fields(read_prefix<TcpInfoFields>(bytes)), length(static_cast<std::uint32_t>(bytes.size())) {}

  /** Whether this kernel gave the field: info.has(&TcpInfoFields::bytes_sent). */
  template <typename T>
  [[nodiscard]] bool has(T TcpInfoFields::*field) const {
    const auto start = reinterpret_cast<const char*>(&(fields.*field)) - reinterpret_cast<const char*>(&fields);
    return static_cast<std::size_t>(start) + sizeof(T) <= length;
  }

  /** Payload bytes sent; before Linux 4.19 those that were acknowledged. */
  [[nodiscard]] std::uint64_t sent() const {
    return has(&TcpInfoFields::bytes_sent) ? fields.bytes_sent : fields.bytes_acked;
  }
};

}  // namespace sockdoc
