#include "preload/monitor/link.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "abi/slab.h"
#include "preload/connection/connections.h"
#include "preload/connection/spinning.h"
#include "preload/monitor/claim.h"
#include "preload/monitor/wire.h"
#include "preload/table/own.h"
#include "preload/thread.h"

namespace sockdoc::preload {
namespace {

using abi::MessageType;

constexpr std::uint64_t kPauseMs = 1000;
/** For whoever has said hello. */
constexpr std::uint64_t kShortPauseMs = 10;

}  // namespace

constinit MonitorLink monitor_link;

void MonitorLink::configure(const char* path) {
  static_assert(sizeof path_ == sizeof(sockaddr_un::sun_path));
  if (path != nullptr && fits(path)) std::strcpy(path_, path);
}

void MonitorLink::end() {
  // Where a thread was stopped in the middle of it, the monitor hears it when libsd comes again.
  if (lock()) {
    auto message = message_of<abi::Plain>(MessageType::leave, 0);
    if (state_ == State::ready) (void)send(&message, sizeof message);
  }
  path_[0] = 0;
  locked_ = 0;
  close();
  next_try_ms_ = 0;
}

bool MonitorLink::lock() {
  if (!table.mine()) return false;  // the child of vfork() would speak for its parent
  std::uint64_t nobody = 0;
  return locked_.compare_exchange_strong(nobody, this_thread(), std::memory_order_acquire);
}

int MonitorLink::fd() const { return place_ < 0 ? -1 : own_descriptors.number(static_cast<std::size_t>(place_)); }

void MonitorLink::close() {
  if (place_ >= 0) own_descriptors.release(static_cast<std::size_t>(place_));
  place_ = -1;
  state_ = State::none;
  notice_ = nullptr;  // the page stays mapped: another thread may be looking at it
}

void MonitorLink::open() {
  const std::uint64_t now = coarse_ms();
  if (now < next_try_ms_) return;
  next_try_ms_ = now + kPauseMs;
  const std::uint64_t began = start_ticks();
  if (began == 0) return;
  {
    const OwnDescriptors::Making alone;
    const long fd = connect_to_monitor(path_);
    if (failed(fd)) return;
    place_ = own_descriptors.adopt(static_cast<int>(fd));
    if (place_ < 0) {
      raw(SYS_close, fd);
      return;
    }
  }
  const abi::Hello hello = hello_of(began, anew_ ? abi::kHelloAnew : 0);
  state_ = State::greeting;
  if (!send(&hello, sizeof hello)) close();
}

bool MonitorLink::send(const void* message, std::size_t bytes) {
  const long sent = raw(SYS_sendto, fd(), message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
  if (sent == static_cast<long>(bytes)) return true;
  // In full or not at all, as messages of this size are; what cannot be sent because the socket is full may be later.
  if (sent != -EAGAIN && sent != -EINTR) close();
  return false;
}

/** One message, with what came along; false when there is none. */
bool MonitorLink::receive_one() {
  alignas(8) std::byte message[kLongestMessage];
  int along = -1;
  const OwnDescriptors::Making alone;  // what comes along
  const Received received = receive_message(fd(), message, along);
  if (received == Received::nothing_yet) return false;
  if (received == Received::message) {
    abi::Header header;
    std::memcpy(&header, message, sizeof header);
    handle(header, message, along);
  } else {
    close();
  }
  if (along >= 0) raw(SYS_close, along);
  return state_ != State::none;
}

void MonitorLink::receive() {
  const abi::Notice* notice = notice_.load();
  if (notice != nullptr) seen_ = __atomic_load_n(&notice->messages, __ATOMIC_ACQUIRE);
  while (place_ >= 0 && receive_one()) {
  }
}

void MonitorLink::handle(const abi::Header& header, const void* message, int& fd) {
  switch (header.type) {
    case MessageType::welcome: {
      if (fd < 0 || header.length != sizeof(abi::Welcome)) return;
      // In the place of the page before, so that monitors that come and go leave nothing behind.
      const long page = raw(SYS_mmap, page_, abi::kPage, PROT_READ, MAP_SHARED | (page_ == 0 ? 0 : MAP_FIXED), fd, 0);
      if (failed(page)) return;
      page_ = page;
      state_ = State::ready;
      anew_ = false;
      seen_ = 0;
      notice_ = reinterpret_cast<const abi::Notice*>(page);
      connections.slabs().new_monitor();
      runs_++;
      return;
    }
    case MessageType::answer:
      if (header.length == sizeof(abi::Answer)) {
        const auto& answer = *static_cast<const abi::Answer*>(message);
        switch (connections.answered(answer, fd)) {
          case Connections::Reply::nothing:
            return;
          case Connections::Reply::no_memory: {
            auto report = message_of<abi::Report>(MessageType::report, 0);
            report.cookie = answer.cookie;
            report.reason = abi::Reason::no_memory;
            (void)send(&report, sizeof report);
            return;
          }
          case Connections::Reply::not_there: {
            auto release = message_of<abi::Release>(MessageType::release, 0);
            release.cookie = answer.cookie;
            (void)send(&release, sizeof release);
            return;
          }
        }
      }
      return;
    case MessageType::withdrawn: {
      if (header.length != sizeof(abi::Withdrawn)) return;
      const auto& withdrawn = *static_cast<const abi::Withdrawn*>(message);
      return connections.withdrawn(withdrawn.cookie, withdrawn.reason);
    }
    case MessageType::peer_gone:
      if (header.length == sizeof(abi::PeerGone)) {
        connections.slabs().peer_gone(static_cast<const abi::PeerGone*>(message)->slab);
      }
      return;
    case MessageType::doorbell:
      if (header.length == sizeof(abi::Doorbell) && fd >= 0 && !connections.stopped() &&
          connections.slabs().give_doorbell(static_cast<const abi::Doorbell*>(message)->slab, fd)) {
        fd = -1;
      }
      return;
    case MessageType::refused:
      // A monitor of another version, or one that does not see this process: it will not be asked again soon.
      if (header.length == sizeof(abi::Refused) && static_cast<const abi::Refused*>(message)->ends != 0) {
        constexpr std::uint64_t kLongPauseMs = 60'000;
        next_try_ms_ = coarse_ms() + kLongPauseMs;
      } else if (const Handle asked(header.sequence); table.knows(asked)) {
        if (Connection* connection = connection_of(asked); connection != nullptr) connection->not_returned();
      }
      return;
    default:
      return;  // of a later version
  }
}

bool MonitorLink::usable() {
  if (!wanted()) return false;
  if (state_ == State::none) open();
  if (state_ == State::greeting) receive();
  return state_ == State::ready;
}

bool MonitorLink::ask(Handle socket, int fd) {
  if (!lock()) return false;
  bool asked = false;
  auto request = message_of<abi::Pair>(MessageType::pair, socket.word());
  if (usable() && claim(fd, request.socket)) {
    const SocketState* state = table.state(socket);
    const bool adopted = state != nullptr && (state->flags.load() & kAdopted) != 0;
    request.socket.flags = adopted ? abi::kClaimAdopted : 0;
    asked = send(&request, sizeof request);
  }
  unlock();
  return asked;
}

bool MonitorLink::keep(int fd, abi::Reason reason) {
  if (!lock()) return false;
  bool said = false;
  auto message = message_of<abi::Keep>(MessageType::keep, 0);
  message.reason = reason;
  if (usable() && claim(fd, message.socket)) said = send(&message, sizeof message);
  unlock();
  return said;
}

void MonitorLink::restore(Handle socket, int fd, const abi::Place& place) {
  if (!lock()) return;
  auto request = message_of<abi::Restore>(MessageType::restore, socket.word());
  request.place = place;
  if (state_ == State::ready && claim(fd, request.socket)) (void)send(&request, sizeof request);
  unlock();
}

void MonitorLink::release(std::uint64_t cookie) {
  if (!lock()) return;
  auto message = message_of<abi::Release>(MessageType::release, 0);
  message.cookie = cookie;
  if (state_ == State::ready) (void)send(&message, sizeof message);
  unlock();
}

bool MonitorLink::give_back(Handle socket, std::uint64_t cookie, int memory, std::uint64_t bytes) {
  if (!lock()) return false;
  auto request = message_of<abi::GiveBack>(MessageType::give_back, socket.word());
  request.cookie = cookie;
  request.bytes = bytes;
  request.memory = memory;
  const bool asked = state_ == State::ready && send(&request, sizeof request);
  unlock();
  return asked;
}

bool MonitorLink::want_doorbell(std::uint64_t slab) {
  if (!lock()) return false;
  auto message = message_of<abi::WantDoorbell>(MessageType::want_doorbell, 0);
  message.slab = slab;
  const bool asked = state_ == State::ready && send(&message, sizeof message);
  unlock();
  return asked;
}

void MonitorLink::report(std::uint64_t cookie, abi::Carrier carrier, abi::Reason reason) {
  if (!lock()) return;
  auto message = message_of<abi::Report>(MessageType::report, 0);
  message.cookie = cookie;
  message.carrier = static_cast<std::uint32_t>(carrier);
  message.reason = reason;
  if (state_ == State::ready) (void)send(&message, sizeof message);
  unlock();
}

void MonitorLink::tend() {
  if (!lock()) return;
  if (usable()) receive();
  (void)usable();  // again, where the link has broken
  connections.slabs().sweep();
  unlock();
}

void MonitorLink::tend_at_times() {
  const std::uint64_t now = __builtin_ia32_rdtsc() / (kTicksPerUs * 1000);  // no system call before every sleep
  std::uint64_t before = tended_ms_.load(std::memory_order_relaxed);
  const std::uint64_t pause = state_.load(std::memory_order_relaxed) == State::greeting ? kShortPauseMs : kPauseMs;
  if (now - before >= pause && tended_ms_.compare_exchange_strong(before, now)) tend();
}

void MonitorLink::forked() {
  locked_ = 0;
  close();
  next_try_ms_ = 0;
}

}  // namespace sockdoc::preload
