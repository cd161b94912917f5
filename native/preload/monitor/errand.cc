#include "preload/monitor/errand.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/raw.h"
#include "preload/monitor/claim.h"
#include "preload/monitor/link.h"
#include "preload/monitor/wire.h"
#include "preload/thread.h"

namespace sockdoc::preload {
namespace {

using abi::MessageType;

std::uint64_t size_of(const abi::Place& place) { return abi::slab_bytes(place.slots, place.ring_bytes); }

void wait_for(int link) {
  pollfd one = {link, POLLIN, 0};
  const timespec a_while = {0, 1'000'000};
  raw(SYS_ppoll, &one, 1, &a_while, nullptr, 8);
}

}  // namespace

Errand::~Errand() {
  if (slab_ != nullptr) raw(SYS_munmap, slab_, size_of(place_));
  link_.close();
}

MappedPlace Errand::mapped() const {
  std::byte* const slot = slab_ + abi::slot_offset(place_.slot, place_.ring_bytes);
  return {place_, reinterpret_cast<abi::SlotHead*>(slot), slot + abi::kPage};
}

bool Errand::begin(int fd, bool with_memory, std::uint64_t deadline) {
  const std::uint64_t began = start_ticks();
  auto request = message_of<abi::Pair>(MessageType::pair, 1);
  if (began == 0 || !claim(fd, request.socket) || !connect(deadline)) return false;
  const abi::Hello hello = hello_of(began, abi::kHelloErrand);
  if (!send(&hello, sizeof hello) || !send(&request, sizeof request)) return false;
  abi::Answer answer = {};
  int memory = -1;
  bool answered = await_answer(request.socket.cookie, deadline, answer, memory);
  if (answered && with_memory) answered = map(answer, memory);
  if (memory >= 0) raw(SYS_close, memory);
  return answered;
}

/** Where others wait in its queue too there is no room for us yet. */
bool Errand::connect(std::uint64_t deadline) {
  while (monitor_link.wanted()) {
    long link = 0;
    {
      const OwnDescriptors::Making alone;
      link = connect_to_monitor(monitor_link.path());
      if (!failed(link)) return link_.take(static_cast<int>(link), OwnDescriptors::For::moment);
    }
    if (link != -EAGAIN || coarse_ms() >= deadline) return false;
    const timespec a_while = {0, 1'000'000};
    raw(SYS_nanosleep, &a_while, nullptr);
  }
  return false;
}

bool Errand::send(const void* message, std::size_t bytes) const {
  const long sent = raw(SYS_sendto, link_.number(), message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
  return sent == static_cast<long>(bytes);
}

bool Errand::await_answer(std::uint64_t cookie, std::uint64_t deadline, abi::Answer& answer, int& memory) const {
  for (;;) {
    alignas(8) std::byte message[kLongestMessage];
    int along = -1;
    const Received received = receive_message(link_.number(), message, along);
    abi::Header header = {};
    if (received == Received::message) std::memcpy(&header, message, sizeof header);
    if (header.type == MessageType::answer && header.length == sizeof answer) {
      std::memcpy(&answer, message, sizeof answer);
      memory = along;
      return answer.cookie == cookie;
    }
    if (along >= 0) raw(SYS_close, along);  // the page that comes with the welcome
    if (received == Received::broken || header.type == MessageType::refused) return false;
    if (received == Received::message) continue;
    if (coarse_ms() >= deadline) return false;
    wait_for(link_.number());
  }
}

bool Errand::map(const abi::Answer& answer, int memory) {
  const abi::Place& place = answer.place;
  struct stat info = {};
  if (answer.outcome != abi::Outcome::shared || memory < 0 || !abi::valid_geometry(place.slots, place.ring_bytes) ||
      place.slot >= place.slots || place.end >= abi::kEnds || failed(raw(SYS_fstat, memory, &info)) ||
      static_cast<std::uint64_t>(info.st_size) < size_of(place)) {
    return false;
  }
  const long mapped = raw(SYS_mmap, 0, size_of(place), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (failed(mapped)) return false;
  place_ = place;
  slab_ = reinterpret_cast<std::byte*>(mapped);
  return true;
}

bool Errand::give_back(std::uint64_t cookie, int memory, std::uint64_t bytes) {
  auto request = message_of<abi::GiveBack>(MessageType::give_back, 2);
  request.cookie = cookie;
  request.bytes = bytes;
  request.memory = memory;
  return send(&request, sizeof request);
}

bool Errand::refused() {
  alignas(8) std::byte message[kLongestMessage];
  int along = -1;
  const Received received = receive_message(link_.number(), message, along);
  if (along >= 0) raw(SYS_close, along);
  abi::Header header = {};
  if (received == Received::message) std::memcpy(&header, message, sizeof header);
  return received == Received::broken || header.type == MessageType::refused;
}

}  // namespace sockdoc::preload
