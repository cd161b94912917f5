#include "bench/serve.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/json.h"
#include "bench/clock.h"
#include "bench/say.h"

namespace sockdoc::bench {
namespace {

void serve_connection(int fd) {
  Opening opening{};
  if (!receive_all(fd, std::as_writable_bytes(std::span(&opening, 1)))) return;
  if (opening.magic != Opening::kMagic || opening.bytes == 0 || opening.bytes > kMostBytes) return;
  std::vector<std::byte> message(opening.bytes);
  Tally tally{};
  std::uint64_t start = 0;
  std::uint64_t start_cpu = 0;
  while (receive_all(fd, message)) {
    switch (static_cast<Kind>(message[0])) {
      case Kind::echo:
        if (!send_all(fd, message)) return;
        break;
      case Kind::stream:
        if (tally.messages++ == 0) {
          start = Clock::monotonic_ns();
          start_cpu = Clock::cpu_ns();
        }
        break;
      case Kind::last:
        tally.ns = Clock::monotonic_ns() - start;
        tally.cpu_ns = Clock::cpu_ns() - start_cpu;
        if (!send_all(fd, std::as_bytes(std::span(&tally, 1)))) return;
        tally = {};
        break;
    }
  }
}

}  // namespace

Status serve(Address address) {
  auto listener = listen_at(address);
  if (!listener) return listener.error();
  say(Json().begin_object().field("address", address.text()).end_object());
  for (;;) {
    pollfd both[] = {{listener->get(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (::poll(both, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return errno_error("poll");
    }
    if (both[1].revents != 0) return Done{};
    if (both[0].revents == 0) continue;
    const auto connection = accept_from(listener->get());
    if (connection) serve_connection(connection->get());
  }
}

}  // namespace sockdoc::bench
