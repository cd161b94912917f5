#include "preload/table/table.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/raw.h"
#include "preload/connection/adoption.h"
#include "preload/connection/connections.h"
#include "preload/connection/gate.h"
#include "preload/readiness/sets.h"
#include "preload/table/memory.h"
#include "preload/table/open_descriptors.h"
#include "preload/table/own.h"

namespace sockdoc::preload {
namespace {

int option(int fd, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  return failed(raw(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &length)) ? -1 : value;
}

/** A socket that bytes can go by. */
bool may_cross(std::uint32_t kind) {
  return kind == SOCKDOC_SOCKET_OPENED || kind == SOCKDOC_SOCKET_ACCEPTED || kind == SOCKDOC_SOCKET_CONNECTING ||
         kind == SOCKDOC_SOCKET_INHERITED;
}

// As the kernel numbers them; 0: not to be had.
constexpr std::uint8_t kEstablished = 1;
constexpr std::uint8_t kSynSent = 2;
constexpr std::uint8_t kClosed = 7;
constexpr std::uint8_t kListens = 10;

std::uint8_t tcp_state(int fd) {
  std::uint8_t state = 0;
  socklen_t length = sizeof state;
  return failed(raw(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &state, &length)) ? std::uint8_t{0} : state;
}

sockdoc_libsd_kind kind_of(std::uint8_t state) {
  if (state == kListens) return SOCKDOC_SOCKET_LISTENER;
  if (state == kSynSent) return SOCKDOC_SOCKET_CONNECTING;
  return state == kClosed ? SOCKDOC_SOCKET_FRESH : SOCKDOC_SOCKET_INHERITED;
}

std::uint64_t life(std::uint32_t generation, std::uint32_t holders) {
  return std::uint64_t{generation} << 32 | holders;
}

}  // namespace

constinit DescriptorTable table;

bool DescriptorTable::start() {
  if (owner_ != nullptr) return mine();
  auto* owner = static_cast<Owner*>(fresh_memory(sizeof(Owner)));
  if (owner == nullptr) return false;
  raw(SYS_madvise, owner, sizeof(Owner), MADV_WIPEONFORK);  // since Linux 4.14; before, the hook of fork() tells
  owner->process = static_cast<std::int32_t>(raw(SYS_getpid));
  owner_ = owner;
  return true;
}

bool DescriptorTable::mine() {
  if (owner_ == nullptr) return false;
  const auto me = static_cast<std::int32_t>(raw(SYS_getpid));
  const std::int32_t owner = owner_->process.load(std::memory_order_relaxed);
  if (owner == me) return true;
  if (owner != 0) return false;
  forked(0, child_expected_.load());
  return true;
}

/** Of two threads that fork at the same time one has a child with a number: the child may have to find it here. */
unsigned DescriptorTable::number_of_child() {
  // Perhaps for a filter of system calls; and where not all calls of exec arrive, it may leave sockets to a program.
  if (connections.stopped() || misses_calls_.load()) return Holders::kUnknown;
  holders_.count_out_ended();
  const unsigned number = holders_.expect_child();
  unsigned nobody = Holders::kUnknown;
  if (number == Holders::kUnknown || child_expected_.compare_exchange_strong(nobody, number)) return number;
  holders_.born(number, -1);
  return Holders::kUnknown;
}

unsigned DescriptorTable::before_fork(Fork fork) {
  unsigned child = Holders::kUnknown;
  if (owner_ == nullptr) return child;
  fork_expected_ = 1;
  const std::uint32_t used = used_.load();
  for (std::uint32_t index = 0; index < used; index++) {
    SocketState& socket = at(index);
    const std::uint32_t kind = socket.kind.load(std::memory_order_relaxed);
    if (static_cast<std::uint32_t>(socket.life.load()) == 0 || !(may_cross(kind) || kind == SOCKDOC_EPOLL_SET) ||
        !(complete(socket) || may_regain(socket))) {
      continue;
    }
    const std::uint32_t before = holders_place(socket);
    if (fork == Fork::comes_back) child = number_of_child();
    fork = Fork::does_not;
    const std::uint32_t place = holders_.share(before, child);
    if (before == Holders::kNone) socket.flags.fetch_or(place << kHoldersShift);
  }
  return child;
}

void DescriptorTable::before_exec() {
  each([this](int fd, Handle handle) {
    const SocketState* socket = state(handle);
    if (socket == nullptr || holders_place(*socket) == Holders::kNone) return;
    const long flags = raw(SYS_fcntl, fd, F_GETFD, 0);
    if (!failed(flags) && (flags & FD_CLOEXEC) == 0) share_for_ever(*socket);
  });
}

void DescriptorTable::look_no_more() {
  const std::uint32_t used = used_.load();
  for (std::uint32_t index = 0; index < used; index++) share_for_ever(at(index));
  holders_.forget_children();
}

void DescriptorTable::forked(std::int32_t child, unsigned number) {
  if (owner_ == nullptr) return;
  if (child == 0 && owner_->process.load() == static_cast<std::int32_t>(raw(SYS_getpid))) return;  // seen before
  const bool expected = fork_expected_.exchange(0) != 0;
  if (child == 0 || number != Holders::kUnknown) child_expected_ = Holders::kUnknown;
  if (child != 0) holders_.born(number, child);
  if (child < 0) return holders_.count_out_ended();
  begin_epoch();
  if (child != 0) return;
  own_descriptors.forked();
  holders_.begin_as(number);
  // Nobody counted us where no hook saw the fork.
  if (!expected && owner_->process.load() == 0) {
    const std::uint32_t used = used_.load();
    for (std::uint32_t index = 0; index < used; index++) share_for_ever(at(index));
  }
  owner_->process = static_cast<std::int32_t>(raw(SYS_getpid));
  connections.forked();
  epoll_sets.forked();
}

std::atomic<std::uint64_t>* DescriptorTable::slot(int fd) {
  const unsigned chunk = static_cast<unsigned>(fd) / kSlots;
  if (chunk >= kChunks) return nullptr;
  Slots* slots = chunk_at(slots_[chunk]);
  return slots == nullptr ? nullptr : &(*slots)[static_cast<unsigned>(fd) % kSlots];
}

SocketState* DescriptorTable::state(Handle handle) const {
  if (!handle) return nullptr;
  SocketState& state = at(handle.index());
  return state.life.load(std::memory_order_acquire) >> 32 == handle.generation() ? &state : nullptr;
}

std::uint64_t DescriptorTable::cookie_of(SocketState& socket, int fd) {
  std::uint64_t cookie = socket.cookie.load();
  socklen_t length = sizeof cookie;
  if (cookie != 0 || failed(raw(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length))) return cookie;
  socket.cookie = cookie;
  return cookie;
}

// A descriptor that one thread closes while another still uses it can end between state() and the addition, so that the
// count goes to the next socket in that place. Such a program loses its bytes anyway.
void DescriptorTable::sent(Handle handle, std::uint64_t bytes) {
  SocketState* socket = state(handle);
  if (socket != nullptr) add(socket->sent, bytes);
}

void DescriptorTable::received(Handle handle, std::uint64_t bytes) {
  SocketState* socket = state(handle);
  if (socket != nullptr) add(socket->received, bytes);
}

void DescriptorTable::raise(Handle handle, std::uint32_t flags) {
  SocketState* socket = state(handle);
  if (socket == nullptr) return;
  const std::uint32_t before = socket->flags.fetch_or(flags, std::memory_order_relaxed);
  if ((flags & ~before & kUncounted) != 0) share_for_ever(*socket);
}

bool DescriptorTable::regain(SocketState& socket, int fd) {
  // Others may have shut it down, or changed whether it waits.
  if (!may_regain(socket)) return false;
  // Of before: another thread may fork meanwhile.
  const std::uint32_t epoch = epoch_.load();
  holders_.count_out_at_times();
  if (tcp_state(fd) != kEstablished || !holders_.alone(holders_place(socket))) return false;
  const long now = raw(SYS_fcntl, fd, F_GETFL, 0);
  const bool waits = failed(now) || (now & O_NONBLOCK) == 0;
  waits ? socket.flags.fetch_and(~kNonBlocking) : socket.flags.fetch_or(kNonBlocking);
  socket.epoch = epoch;
  return true;
}

bool DescriptorTable::alone_with(Handle set) {
  const SocketState* known = state(set);
  if (known == nullptr || !may_regain(*known)) return false;
  holders_.count_out_at_times();
  return holders_.alone(holders_place(*known));
}

void DescriptorTable::lower(Handle handle, std::uint32_t flags) {
  SocketState* socket = state(handle);
  if (socket != nullptr) socket->flags.fetch_and(~flags, std::memory_order_relaxed);
}

void DescriptorTable::become(Handle handle, sockdoc_libsd_kind kind) {
  SocketState* socket = state(handle);
  if (socket != nullptr) socket->kind.store(kind, std::memory_order_relaxed);
}

std::uint32_t DescriptorTable::kind(Handle handle) const {
  const SocketState* socket = state(handle);
  return socket == nullptr ? 0 : socket->kind.load(std::memory_order_relaxed);
}

void DescriptorTable::reset(Handle handle) {
  SocketState* socket = state(handle);
  if (socket == nullptr) return;
  socket->sent = 0;
  socket->received = 0;
  socket->kind = SOCKDOC_SOCKET_FRESH;
}

bool DescriptorTable::claim(std::uint32_t& index) {
  std::uint64_t head = free_.load(std::memory_order_acquire);
  while (static_cast<std::uint32_t>(head) != 0) {
    index = static_cast<std::uint32_t>(head) - 1;
    const std::uint64_t next = at(index).next_free.load(std::memory_order_relaxed);
    if (free_.compare_exchange_weak(head, ((head >> 32) + 1) << 32 | next)) return true;
  }
  index = used_.load(std::memory_order_relaxed);
  do {
    if (index >= kSlots * kChunks || chunk_at(states_[index / kSlots]) == nullptr) return false;
  } while (!used_.compare_exchange_weak(index, index + 1));
  return true;
}

Handle DescriptorTable::make(sockdoc_libsd_kind kind, std::uint32_t flags) {
  std::uint32_t index = 0;
  if (!claim(index)) return {};
  SocketState& socket = at(index);
  const auto generation = static_cast<std::uint32_t>(socket.life.load() >> 32);
  socket.sent = 0;
  socket.received = 0;
  socket.cookie = 0;
  socket.gate = 0;
  socket.reason = 0;
  socket.kind = kind;
  socket.flags = flags;
  socket.epoch = epoch_.load();
  socket.life.store(life(generation, 1), std::memory_order_release);
  return Handle(std::uint64_t{generation} << 32 | (index + 1));
}

bool DescriptorTable::hold(Handle handle) {
  if (!handle) return false;
  SocketState& socket = at(handle.index());
  std::uint64_t seen = socket.life.load();
  do {
    if (seen >> 32 != handle.generation() || static_cast<std::uint32_t>(seen) == 0) return false;
  } while (!socket.life.compare_exchange_weak(seen, seen + 1));
  return true;
}

void DescriptorTable::drop(Handle handle, int fd) {
  if (!handle) return;
  SocketState& socket = at(handle.index());
  std::uint64_t seen = socket.life.load();
  if (seen >> 32 == handle.generation() && static_cast<std::uint32_t>(seen) == 1) connections.closing(handle, fd);
  std::uint64_t next = 0;
  do {
    const auto holders = static_cast<std::uint32_t>(seen);
    if (seen >> 32 != handle.generation() || holders == 0) return;
    next = holders > 1 ? seen - 1 : life(handle.generation() + 1, 0);
  } while (!socket.life.compare_exchange_weak(seen, next));
  if (static_cast<std::uint32_t>(next) != 0) return;
  // A call that is under way has the socket beyond its last descriptor.
  gate::under_way(socket.gate.load()) == 0 ? holders_.leave(holders_place(socket)) : share_for_ever(socket);
  socket.flags = 0;
  std::uint64_t head = free_.load();
  do {
    socket.next_free.store(static_cast<std::uint32_t>(head), std::memory_order_relaxed);
  } while (!free_.compare_exchange_weak(head, ((head >> 32) + 1) << 32 | (handle.index() + 1)));
}

void DescriptorTable::set(int fd, Handle handle) {
  std::atomic<std::uint64_t>* place = slot(fd);
  if (place == nullptr) return drop(handle);
  drop(Handle(place->exchange(handle.word())));
}

void DescriptorTable::record(int fd, sockdoc_libsd_kind kind, std::uint32_t flags) {
  if (mine()) set(fd, make(kind, flags));
}

void DescriptorTable::take_stock(int fd) {
  if (!mine()) return;
  forget(fd);
  if (option(fd, SO_PROTOCOL) != IPPROTO_TCP) return;
  const bool listens = option(fd, SO_ACCEPTCONN) == 1;
  const long flags = raw(SYS_fcntl, fd, F_GETFL, 0);
  const std::uint32_t known = !failed(flags) && (flags & O_NONBLOCK) != 0 ? kNonBlocking : 0;
  set(fd, make(listens ? SOCKDOC_SOCKET_LISTENER : SOCKDOC_SOCKET_INHERITED, known | kUncounted));
}

void DescriptorTable::adopt(int fd) {
  if (!mine() || option(fd, SO_PROTOCOL) != IPPROTO_TCP) return;
  const long flags = raw(SYS_fcntl, fd, F_GETFL, 0);
  const std::uint32_t known = !failed(flags) && (flags & O_NONBLOCK) != 0 ? kNonBlocking : 0;
  const sockdoc_libsd_kind kind = kind_of(tcp_state(fd));
  SocketState* socket = state(find(fd));
  if (socket == nullptr) return set(fd, make(kind, known | kAdopted));
  socket->sent = 0;
  socket->received = 0;
  socket->kind = kind;
  socket->flags = known | kAdopted;
  socket->epoch = epoch_.load();
  socket->gate = gate::under_way(socket->gate.load()) * gate::kUnderWay;
  socket->reason = 0;
}

Handle DescriptorTable::take(int fd) {
  if (!find(fd) || !mine()) return {};
  std::atomic<std::uint64_t>* place = slot(fd);
  return place == nullptr ? Handle() : Handle(place->exchange(0));
}

void DescriptorTable::put_back(int fd, Handle handle) {
  if (!handle) return;
  std::atomic<std::uint64_t>* place = slot(fd);
  std::uint64_t nothing = 0;
  if (place == nullptr || !place->compare_exchange_strong(nothing, handle.word())) drop(handle);
}

void DescriptorTable::forget_range(unsigned first, unsigned last) {
  const unsigned end = kSlots * kChunks - 1;
  if (last > end) last = end;
  for (unsigned fd = first; fd <= last; fd++) {
    if (slots_[fd / kSlots].load(std::memory_order_acquire) == nullptr) {
      fd |= kSlots - 1;
    } else {
      forget(static_cast<int>(fd));
    }
  }
}

/** Who is in a call keeps the state that it has; the memory stays. */
void DescriptorTable::forget_all() {
  owner_ = nullptr;
  for (std::atomic<Slots*>& slots : slots_) slots.store(nullptr, std::memory_order_release);
}

void DescriptorTable::share(int from, int to) {
  const Handle handle = find(from);
  if (!handle && !find(to)) return;
  // A child on our memory: the copy is for the program that it will execute.
  if (!mine()) return raise(handle, kUncounted);
  set(to, hold(handle) ? handle : Handle());
}

unsigned DescriptorTable::end() const {
  for (unsigned chunk = kChunks; chunk-- > 0;) {
    const Slots* slots = slots_[chunk].load(std::memory_order_acquire);
    if (slots == nullptr) continue;
    for (unsigned at = kSlots; at-- > 0;) {
      if ((*slots)[at].load(std::memory_order_relaxed) != 0) return chunk * kSlots + at + 1;
    }
  }
  return 0;
}

bool DescriptorTable::read(int fd, sockdoc_socket_state& into) {
  SocketState* socket = state(find(fd));
  if (socket == nullptr || socket->kind.load() == SOCKDOC_EPOLL_SET) return false;
  const std::uint64_t cookie = cookie_of(*socket, fd);
  const std::uint32_t flags = socket->flags.load();
  into = {
      .kind = socket->kind.load(),
      .non_blocking = flags & kNonBlocking,
      .complete = complete(*socket),
      .shut = ((flags & kShutRead) != 0 ? 1U : 0U) | ((flags & kShutWrite) != 0 ? 2U : 0U),
      .cookie = cookie,
      .sent = socket->sent.load(),
      .received = socket->received.load(),
      .mapped = 0,
      .reason = socket->reason.load(),
      .sends_by_ring = 0,
      .receives_by_ring = 0,
      .ring_sent = 0,
      .ring_received = 0,
  };
  if (Connection* connection = connection_of(find(fd)); connection != nullptr) {
    connection->read(into);
  } else if ((flags & kAdopted) != 0) {
    KernelCounts counts;
    into.complete = into.complete != 0 && count_by_kernel(fd, counts) == Counting::counted;
    into.sent = counts.sent;
    into.received = counts.received;
  }
  return true;
}

void DescriptorTable::take_stock_of_all() {
  each_open_descriptor([this](int fd) { take_stock(fd); });
}

bool DescriptorTable::same_socket(int fd, Handle handle) const {
  const SocketState* socket = state(handle);
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return socket != nullptr && socket->kind.load() != SOCKDOC_EPOLL_SET && socket->cookie.load() != 0 &&
         !failed(raw(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length)) && cookie == socket->cookie.load();
}

void DescriptorTable::renew() {
  constexpr std::uint64_t kGeneration = std::uint64_t{1} << 32;
  each([this](int fd, Handle handle) {
    if (!same_socket(fd, handle)) drop(take(fd));
  });
  each([this](int fd, Handle handle) { slot(fd)->store(handle.word() + kGeneration); });
  const std::uint32_t used = used_.load();
  for (std::uint32_t index = 0; index < used; index++) {
    SocketState& socket = at(index);
    if (static_cast<std::uint32_t>(socket.life.load()) == 0) continue;
    share_for_ever(socket);
    connections.renewed(index);
    socket.life.fetch_add(kGeneration);
  }
}

}  // namespace sockdoc::preload
