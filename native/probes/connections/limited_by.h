#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "probes/sockets/connection_base.h"

namespace sockdoc {

/** LIMITS in src/model/views/connections.ts. */
enum class LimitedBy : std::uint8_t { application, receive_window, send_buffer, congestion };

std::string_view limit_name(LimitedBy limit);

/**
 * What keeps a connection from sending faster; nullopt where it does not send (any more), or where the kernel does not
 * tell (before Linux 4.10).
 *
 * Over a window the kernel's own stop-watches decide (tcp_chrono in net/ipv4/tcp_output.c: busy while data waits to be
 * sent or acknowledged, and of that the time in which the receive window or the send buffer was what stopped it). What
 * took most of the window is the limit: not busy at all (application), either of the two, or the rest of the busy time.
 * That rest is congestion (the congestion window, pacing, queues of this host) unless the kernel says that the last
 * rate sample was limited by the application (tcp_rate_check_app_limited).
 *
 * Without a window it is what stops it at this moment: nothing outstanding (application), a window too small for the
 * next segment, loss or a full congestion window, a send buffer that is full and all in flight; else the shares since
 * the connection began.
 */
std::optional<LimitedBy> limited_by(const InetSocket& socket, const Activity& activity);

}  // namespace sockdoc
