#include "preload/connection/connections.h"
#include "preload/connection/gate.h"
#include "preload/monitor/link.h"
#include "preload/readiness/sleepers.h"

/*
 * A connection rests while another process has the socket, since a fork. It keeps its memory; its socket's word
 * (gate.h) goes from `mapped` back to `asked`, so that calls are the program's own and counted; and it crosses again
 * like the first time, by the counts of the kernel. Both roles are held while it changes to and fro, by nobody who
 * interrupted their holder.
 */
namespace sockdoc::preload {

void Connection::lend(int fd, std::uint64_t deadline) {
  if (!here()) return;
  {
    const Holding receiving(receiving_);  // so that it does not come back halfway
    if (rested()) return;
    const bool returns = lent_.load() != 0 || !gone_back_for_good();
    keep_on_kernel(abi::Reason::shared_by_more);
    if (returns) lent_ = 1;
  }
  (void)go_back(fd, deadline);
  if (set_aside(fd, deadline)) return;
  lent_ = 0;
  was_reset();  // for the child
}

/**
 * What was lent, and is drained, may wait for its return. With the receiver's role. Not while a call, other than those
 * of ours, reads what it began to read by the kernel; and not where the peer does not look at its memory any more.
 */
bool Connection::come_back(std::uint32_t own_reads) {
  const SignalsBlocked blocked;  // a handler may fork
  SocketState* state = table.state(handle());
  if (lent_.load() == 0 || connections.forking() || state == nullptr || has_unread() || natively_.load() == 0 ||
      long_reads_.load() != own_reads) {
    return false;
  }
  if (slot_->ends[1 - end_].mapped.load(std::memory_order_relaxed) != place_.generation) return false;
  const Holding sending(sending_);
  if (sending.nested() || native_sends_.load() != 0 || sends_natively_.load() == 0) return false;
  lent_ = 0;
  rest_until_ = 0;
  flags_.fetch_or(kRested);
  flags_.fetch_and(~(kStayReceiving | kStaySending));
  natively_ = 0;
  sends_natively_ = 0;
  gate::turn_back(*state);
  sleepers.fall_asleep(handle());
  return true;
}

/** Whether it is worth a try to cross now: for the first time, or again. */
bool Connection::may_cross(Handle socket) {
  constexpr std::uint64_t kShortly = std::uint64_t{1} << 23;  // some milliseconds
  if (granted_.load(std::memory_order_acquire) == socket.word()) return true;
  if (handle_.load(std::memory_order_acquire) != socket.word() || !rested()) return false;
  const std::uint64_t now = __builtin_ia32_rdtsc();
  if (now < rest_until_.load(std::memory_order_relaxed)) return false;
  rest_until_.store(now + kShortly, std::memory_order_relaxed);
  return true;
}

/** From the kernel to the rings, if no call of the program is with the kernel: `word` is the gate without one. */
bool Connection::take_over(SocketState& state, std::uint64_t word) {
  const Holding receiving(receiving_);
  const Holding sending(sending_);
  if (receiving.nested() || sending.nested()) return false;
  const SignalsBlocked blocked;
  // A signal handler may have forked since the counts were looked at, and another thread may have been first.
  if (!table.unshared(state) || state.gate.load() != word) return false;
  StreamReceiver from = inbound();
  from.forbid_ring();  // somebody may sleep in the kernel; who reads next opens the ring
  marked_ = 1;
  rested() ? outbound().go_on(state.sent.load()) : outbound().begin(state.sent.load(), kFirstBytes);
  if (!from.go_on(state.received.load()) || !gate::change(state, word, Phase::mapped)) return false;
  outbound().send_alone_no_more();
  flags_.fetch_and(~kRested);
  return true;
}

/** For who sees that the gate is open, before who opened it says so. */
void Connection::taken_over(Handle socket) {
  const Holding receiving(receiving_);
  const SocketState* state = table.state(socket);
  if (state == nullptr || gate::phase(state->gate.load()) != Phase::mapped) return;
  flags_.fetch_and(~kRested);
  handle_.store(socket.word(), std::memory_order_release);
}

}  // namespace sockdoc::preload
