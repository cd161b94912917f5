#include "preload/connection/connections.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstring>

#include "preload/connection/adoption.h"
#include "preload/connection/gate.h"
#include "preload/connection/handing_over.h"
#include "preload/connection/idle_rings.h"
#include "preload/connection/io_uring.h"
#include "preload/connection/options.h"
#include "preload/monitor/link.h"
#include "preload/readiness/sets.h"

namespace sockdoc::preload {
namespace {

/** A socket that was not asked for in time (no monitor, a busy one) is asked for again after so many calls. */
constexpr std::uint64_t kAskAgain = 64;
/** The same for one that the monitor refused for what may pass, or that another process has too. */
constexpr std::uint64_t kAskAgainOfWhatPasses = 1 << 14;

/** Whether the monitor may say otherwise later: by another policy, or when there is room, memory or a descriptor again.
 */
constexpr bool may_pass(abi::Reason reason) {
  switch (reason) {
    case abi::Reason::proc_unreadable:
    case abi::Reason::namespace_unreadable:
    case abi::Reason::denied_across_users:
    case abi::Reason::denied_by_policy:
    case abi::Reason::quota_connections:
    case abi::Reason::quota_slabs:
    case abi::Reason::quota_bytes:
    case abi::Reason::no_memory:
    case abi::Reason::no_descriptors:
      return true;
    default:
      return false;
  }
}

bool connected(SocketState& state) {
  std::uint32_t kind = state.kind.load();
  // connect() said that it was under way, and the program learned the end of it otherwise: bytes have moved since.
  if (kind == SOCKDOC_SOCKET_CONNECTING && (state.sent.load() > 0 || state.received.load() > 0)) {
    if (state.kind.compare_exchange_strong(kind, SOCKDOC_SOCKET_OPENED)) kind = SOCKDOC_SOCKET_OPENED;
  }
  const bool adopted = kind == SOCKDOC_SOCKET_INHERITED && (state.flags.load() & kAdopted) != 0;
  return kind == SOCKDOC_SOCKET_OPENED || kind == SOCKDOC_SOCKET_ACCEPTED || adopted;
}

}  // namespace

constinit Connections connections;

Connection* Connections::at(std::uint32_t index) {
  any_.store(1, std::memory_order_relaxed);
  std::atomic<Chunk*>& place = chunks_[index / kChunk];
  Chunk* chunk = place.load(std::memory_order_acquire);
  if (chunk == nullptr) {
    const long mapped =
        raw(SYS_mmap, 0, sizeof(Chunk), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (failed(mapped)) return nullptr;
    auto* mine = reinterpret_cast<Chunk*>(mapped);
    if (place.compare_exchange_strong(chunk, mine)) {
      chunk = mine;
    } else {
      raw(SYS_munmap, mapped, sizeof(Chunk));
    }
  }
  return &(*chunk)[index % kChunk];
}

void Connections::begin(std::uint64_t after_calls) {
  ask_after_ = after_calls;
  stopped_ = 0;
  leaving_ = 0;
  leaving_since_ms_ = 0;
  bool somebody = false;
  each_place([&](Connection& connection) { somebody = somebody || connection.in_use(); });
  somebody ? slabs_.forget_all() : slabs_.unmap_all();
}

void Connections::end() {
  static constinit MappedSlab no_slab;
  table.each([](int fd, Handle socket) {
    SocketState* state = table.state(socket);
    if (state != nullptr && state->kind.load() != SOCKDOC_EPOLL_SET) (void)table.cookie_of(*state, fd);
  });
  slabs_.make_inert();
  each_place([](Connection& connection) {
    if (connection.slot_ != nullptr) connection.make_inert(no_slab);
    connection.unread_.drop();
  });
}

void Connections::renewed(std::uint32_t index) {
  Connection* connection = known(index);
  if (connection == nullptr) return;
  connection->handle_ = 0;
  connection->granted_ = 0;
  connection->crossing_ = 0;
}

void Connections::consider(Handle socket, SocketState& state, int fd, std::uint64_t word) {
  if (leaving_.load(std::memory_order_relaxed) != 0) [[unlikely]]
    return;
  const std::uint64_t calls = gate::calls(word);
  const std::uint32_t stopped = stopped_.load(std::memory_order_relaxed);
  if (stopped != 0 && (state.flags.load(std::memory_order_relaxed) & kStays) == 0) {
    stay(socket, static_cast<abi::Reason>(stopped));
  }
  if (gate::phase(word) == Phase::native) {
    if (calls < ask_after_ || !is_due(socket, calls - ask_after_) || !connected(state)) return;
    if ((state.flags.load() & kAdopted) != 0 && !suits(socket, fd)) return;
    const bool stays = (state.flags.load() & kStays) != 0;
    if (!stays && !table.complete(state) && !table.regain(state, fd) && table.may_regain(state)) {
      state.reason = static_cast<std::uint32_t>(abi::Reason::shared_by_more);
      return;
    }
    if (stays || !table.complete(state)) {
      if (state.reason.load() == 0) state.reason = static_cast<std::uint32_t>(abi::Reason::shared_by_more);
      return refuse(state, fd, word);
    }
    Connection* mine = at(socket.index());
    if (mine == nullptr || table.cookie_of(state, fd) == 0 || !gate::change(state, word, Phase::asked)) return;
    mine->run_ = monitor_link.runs();
    if (monitor_link.ask(socket, fd)) return;
    mine->unasked_.store(socket.word(), std::memory_order_relaxed);
    word = state.gate.load();
    while (gate::phase(word) == Phase::asked && !gate::change(state, word, Phase::native)) word = state.gate.load();
    return;
  }
  if (gate::phase(word) != Phase::asked) return;
  monitor_link.look();
  Connection* connection = at(socket.index());
  if (gate::under_way(word) == 0 && connection->may_cross(socket)) return cross(socket, state, *connection, fd, word);
  if (connection->handle_.load(std::memory_order_relaxed) == socket.word()) return;
  if (calls % kAskAgain != 0) return;
  monitor_link.tend_at_times();
  // One that was started anew knows nothing of the question.
  const std::uint32_t runs = monitor_link.runs();
  const auto reason = static_cast<abi::Reason>(state.reason.load());
  const bool shared = (state.flags.load() & kAdopted) != 0 && reason == abi::Reason::shared_by_more;
  const bool passes = shared || may_pass(reason);
  const bool again = connection->run_ != runs || (passes && calls % kAskAgainOfWhatPasses == 0);
  if (again && monitor_link.ask(socket, fd)) connection->run_ = runs;
}

/**
 * Whether to ask now, so many calls after the first time: seldom, but for one that could not be asked for since the
 * monitor had not answered the greeting yet, or another thread was speaking to it.
 */
bool Connections::is_due(Handle socket, std::uint64_t calls_since) const {
  if (calls_since % kAskAgain == 0) return true;
  Connection* mine = calls_since < kAskAgain ? known(socket.index()) : nullptr;
  if (mine == nullptr || mine->unasked_.load(std::memory_order_relaxed) != socket.word()) return false;
  monitor_link.tend_at_times();
  if (!monitor_link.listens()) return false;
  mine->unasked_.store(0, std::memory_order_relaxed);
  return true;
}

/** False: not now. A socket that was there before libsd may have been used in ways that only the kernel knows. */
bool Connections::suits(Handle socket, int fd) {
  const Suitability found = look_at_adopted(fd);
  if (found.stays != abi::Reason::none) stay(socket, found.stays);
  if (found.stays_receiving != abi::Reason::none) stay_receiving(socket, found.stays_receiving);
  return !found.later || found.stays != abi::Reason::none;
}

/** The monitor is told why: `status` says so of both ends, and the peer need not wait. */
void Connections::refuse(SocketState& state, int fd, std::uint64_t word) {
  constexpr std::uint64_t kTries = 8;
  if (table.cookie_of(state, fd) != 0 && !monitor_link.keep(fd, static_cast<abi::Reason>(state.reason.load())) &&
      gate::calls(word) < ask_after_ + kTries * kAskAgain) {
    return;  // again later: the monitor has not answered the greeting yet, or another thread speaks to it
  }
  (void)gate::change(state, word, Phase::refused);
}

/** Whether it is known what was sent and received: by our counts, which are the kernel's, or by the kernel's alone. */
bool Connections::counted(SocketState& state, Connection& connection, int fd) const {
  const bool again = connection.rested();
  if (!again) connection.unproven_ = 0;
  if ((state.flags.load() & kAdopted) == 0) return counts_agree(state, connection, fd);
  constexpr std::uint32_t kWhereSentAnew = 8;
  KernelCounts counts;
  if (count_by_kernel(fd, counts) != Counting::counted) return false;
  const auto [sent_by_ring, received_by_ring] = connection.by_ring();
  if (again)
    return counts.sent + sent_by_ring == state.sent.load() &&
           counts.received + received_by_ring == state.received.load();
  state.sent = counts.sent;
  state.received = counts.received;
  connection.unproven_ = counts.sent_anew ? kWhereSentAnew : 1;
  connection.proved_at_ = ~std::uint64_t{0};
  return true;
}

/** Whether the kernel's counts are ours: nothing moved bytes that we did not see. */
bool Connections::counts_agree(const SocketState& state, const Connection& connection, int fd) const {
  struct {
    std::uint8_t before[120];
    std::uint64_t acknowledged, received;
  } info = {};
  socklen_t length = sizeof info;
  int unsent = 0;
  int unread = 0;
  if (failed(raw(SYS_ioctl, fd, TIOCOUTQ, &unsent)) ||
      failed(raw(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &length)) ||
      failed(raw(SYS_ioctl, fd, FIONREAD, &unread)) || length < sizeof info) {
    return false;
  }
  // The opener's SYN is acknowledged as a byte.
  const std::uint64_t flag_bytes = state.kind.load() == SOCKDOC_SOCKET_OPENED ? 1 : 0;
  const auto [sent_by_ring, received_by_ring] = connection.by_ring();
  return info.acknowledged + static_cast<std::uint64_t>(unsent) - flag_bytes + sent_by_ring == state.sent.load() &&
         info.received - static_cast<std::uint64_t>(unread) + received_by_ring == state.received.load();
}

/** From the kernel to the rings, if no call of the program is with the kernel now. */
void Connections::cross(Handle socket, SocketState& state, Connection& connection, int fd, std::uint64_t word) {
  constexpr std::uint32_t kTries = 64;
  if (gate::under_way(word) != 0 || !connection.here()) return;
  // One at a time, and not in a handler that interrupted it: what is written here counts once the word has changed.
  if (connection.crossing_.exchange(1) != 0) return;
  // Who had looked at the word before another thread crossed would begin anew what carries bytes already.
  if (leaving_.load() != 0 || forking() || state.gate.load() != word) return connection.crossing_.store(0);
  look_for_io_uring();
  if (!search_for_setup()) {
    if (!found_setup()) return connection.crossing_.store(0);  // goes on at the next call
    stop(abi::Reason::io_uring);
  }
  if (const std::uint32_t stopped = stopped_.load(); stopped != 0) stay(socket, static_cast<abi::Reason>(stopped));
  const bool again = connection.rested();
  const bool stays = (state.flags.load() & kStays) != 0 || (again && connection.gone_back_for_good());
  const bool later = !stays && !table.complete(state) && !table.regain(state, fd) && table.may_regain(state);
  const bool may = !stays && table.complete(state);
  const bool fits = may && counted(state, connection, fd);
  if (fits) {
    if (!forking() && connection.take_over(state, word)) {
      send_without_delay(state, fd);
      connection.tries_ = 0;
      connection.granted_ = 0;
      connection.handle_.store(socket.word(), std::memory_order_release);
      const std::uint32_t flags = state.flags.load();
      if ((flags & kStaysReceiving) != 0) {
        connection.receive_by_kernel(static_cast<abi::Reason>(state.receiving_reason.load()));
      }
      abi::EndWords& mine = connection.slot().ends[connection.end_];
      if ((flags & kShutWrite) != 0) mine.flags.fetch_or(abi::kSaidShutdown);
      mine.mapped.store(connection.place_.generation, std::memory_order_release);
      state.reason = 0;
      connection.reason_ = 0;
      monitor_link.report(connection.cookie_, abi::Carrier::ring, abi::Reason::none);
      // In the same moment, by another thread.
      const std::uint32_t stopped = stopped_.load();
      if (stopped != 0) stay(socket, static_cast<abi::Reason>(stopped));
    }
  } else if (!later && (!may || connection.tries_++ >= kTries)) {
    if (gate::change(state, word, Phase::refused)) {
      const auto reason = may ? abi::Reason::counters_differ : abi::Reason::shared_by_more;
      if (state.reason.load() == 0 || may) state.reason = static_cast<std::uint32_t>(reason);
      connection.granted_ = 0;
      if (!again) connection.slab_->users.fetch_sub(1);
      monitor_link.report(connection.cookie_, abi::Carrier::kernel, static_cast<abi::Reason>(state.reason.load()));
    }
  }
  connection.crossing_.store(0, std::memory_order_release);
}

Connections::Reply Connections::answered(const abi::Answer& answer, int memory) {
  const Handle socket(answer.header.sequence);
  SocketState* state = table.knows(socket) ? table.state(socket) : nullptr;
  const abi::Place& place = answer.place;
  const bool shared = answer.outcome == abi::Outcome::shared;
  MappedSlab* slab = nullptr;
  if (shared) {
    if (!abi::valid_geometry(place.slots, place.ring_bytes) || place.slot >= place.slots || place.end >= abi::kEnds ||
        place.generation == 0) {
      return Reply::nothing;
    }
    // In any case: its memory comes but once.
    slab = slabs_.find(place);
    if (slab == nullptr && memory >= 0) slab = slabs_.map(place, memory);
  }
  if (state == nullptr || state->cookie.load() != answer.cookie) return shared ? Reply::not_there : Reply::nothing;
  std::uint64_t word = state->gate.load();
  Connection* connection = find(socket);
  if (!shared) {
    const bool waits = answer.outcome != abi::Outcome::kernel;
    if (waits && (state->flags.load() & kStays) != 0) return Reply::nothing;  // it knows better by now
    state->reason = static_cast<std::uint32_t>(answer.reason);
    if (waits || (connection == nullptr && may_pass(answer.reason))) return Reply::nothing;
    if (connection != nullptr) connection->keep_on_kernel(answer.reason);
    while (gate::phase(word) == Phase::asked && !gate::change(*state, word, Phase::refused)) word = state->gate.load();
    return Reply::nothing;
  }
  if (connection != nullptr || gate::phase(word) != Phase::asked) return Reply::nothing;
  connection = at(socket.index());
  if (connection != nullptr && connection->granted_.load() == socket.word()) return Reply::nothing;
  std::byte* const slot = slab == nullptr ? nullptr : slab->memory + abi::slot_offset(place.slot, place.ring_bytes);
  if (connection == nullptr || slot == nullptr || !populate(slot, place.ring_bytes)) {
    state->reason = static_cast<std::uint32_t>(abi::Reason::no_memory);
    while (gate::phase(word) == Phase::asked && !gate::change(*state, word, Phase::refused)) word = state->gate.load();
    return Reply::no_memory;
  }
  slab->users.fetch_add(1);
  connection->process_ = table.process();
  connection->end_ = place.end;
  connection->slot_ = reinterpret_cast<abi::SlotHead*>(slot);
  connection->rings_ = slot + abi::kPage;
  connection->ring_bytes_ = place.ring_bytes;
  connection->flags_ = 0;
  connection->slab_ = slab;
  connection->place_ = place;
  connection->cookie_ = answer.cookie;
  connection->sleepers_ = 0;
  connection->natively_ = 0;
  connection->sends_natively_ = 0;
  connection->native_sends_ = 0;
  connection->reason_ = 0;
  connection->unreported_ = 0;
  connection->held_in_vain_ = 0;
  connection->return_tries_ = 0;
  connection->reset_told_ = 0;
  connection->refused_ = 0;
  connection->all_taken_of_ = Connection::kNothingSeen;
  connection->has_woken_ = 0;
  connection->vain_spins_ = 0;
  connection->vain_waits_ = 0;
  connection->slept_ = 0;
  connection->calls_ = 0;
  connection->sends_ = 0;
  connection->in_doubt_ms_ = 0;
  connection->tries_ = 0;
  connection->carried_ = 0;
  connection->inbound_pages_since_ = 0;
  connection->vain_looks_ = 0;
  connection->once_at_ = 0;
  connection->once_ = 0;
  connection->rest_until_ = 0;
  connection->lent_ = 0;
  connection->long_reads_ = 0;
  connection->crossing_ = 0;
  connection->run_ = monitor_link.runs();
  connection->granted_.store(socket.word(), std::memory_order_release);
  return Reply::nothing;
}

void Connections::withdrawn(std::uint64_t cookie, abi::Reason reason) {
  each([&](Connection& connection) {
    if (connection.cookie_ == cookie) connection.keep_on_kernel(reason);
  });
}

void Connections::stay(Handle socket, abi::Reason reason) {
  SocketState* state = table.state(socket);
  if (state == nullptr) return;
  // The first one counts; what it waited for until now does not any more.
  const bool decided = (state->flags.load() & kStays) != 0 || gate::phase(state->gate.load()) == Phase::refused;
  if (!decided || state->reason.load() == 0) state->reason = static_cast<std::uint32_t>(reason);
  state->flags.fetch_or(kStays);
  table.share_for_ever(*state);
  if (Connection* connection = find(socket); connection != nullptr) connection->keep_on_kernel(reason);
}

void Connections::stay_receiving(Handle socket, abi::Reason reason) {
  SocketState* state = table.state(socket);
  if (state == nullptr) return;
  state->receiving_reason = static_cast<std::uint32_t>(reason);
  state->flags.fetch_or(kStaysReceiving);
  table.share_for_ever(*state);
  epoll_sets.sleeps_beside_watch(socket);
  if (Connection* connection = find(socket); connection != nullptr) connection->receive_by_kernel(reason);
}

void Connections::closing(Handle socket, int fd) {
  SocketState* state = table.state(socket);
  if (state == nullptr || gate::phase(state->gate.load()) == Phase::native) return;
  if (Connection* connection = known(socket.index()); connection != nullptr) {
    std::uint64_t word = socket.word();
    const bool granted = connection->granted_.compare_exchange_strong(word, 0);
    if (granted && connection->here()) connection->slab_->users.fetch_sub(1);
    if (connection->handle_.load() == socket.word()) connection->finish(fd, table.complete(*state));
  }
  if (state->cookie.load() != 0) monitor_link.release(state->cookie.load());
}

void Connections::taken_apart(Handle socket) {
  closing(socket, -1);
  SocketState* state = table.state(socket);
  if (state == nullptr) return;
  std::uint64_t word = state->gate.load();
  while (!gate::change(*state, word, Phase::native)) word = state->gate.load();
}

void look_for_io_uring() {
  if (!connections.stopped() && has_io_uring()) all_go_back(abi::Reason::io_uring);
}

void notice_messages() { monitor_link.look(); }

}  // namespace sockdoc::preload
