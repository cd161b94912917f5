#include <sys/syscall.h>

#include "preload/connection/connections.h"
#include "preload/connection/gate.h"
#include "preload/connection/idle_rings.h"
#include "preload/connection/io_uring.h"
#include "preload/monitor/link.h"
#include "preload/table/open_descriptors.h"

/* What becomes of connections when their process is copied, or becomes another program. */
namespace sockdoc::preload {

/** Parent and child will both have the sockets, and only the kernel orders what two processes do with one. */
void Connections::before_fork() {
  forks_.fetch_add(1);
  if (!any()) return;
  const std::uint64_t deadline = coarse_ms() + kPatienceMs;
  table.each([&](int fd, Handle socket) {
    SocketState* state = table.state(socket);
    if (state == nullptr || gate::phase(state->gate.load()) == Phase::native) return;
    // One that another thread takes across at this moment; from now on it sees that we are here.
    const Connection* record = at(socket.index());
    while (record != nullptr && record->crossing_.load() != 0 && coarse_ms() < deadline) raw(SYS_sched_yield);
    if (Connection* connection = find(socket); connection != nullptr) connection->lend(fd, deadline);
  });
}

void Connections::forked() {
  forks_ = 0;
  if (any()) {
    each_record([](Connection& connection) {
      connection.forked();
      if (connection.rested()) connection.handle_ = 0;
    });
  }
  // What the monitor was asked, it answers to our parent.
  table.each([this](int, Handle socket) {
    SocketState* state = table.state(socket);
    const std::uint64_t word = state == nullptr ? 0 : state->gate.load();
    if (gate::phase(word) != Phase::asked) return;
    (void)gate::change(*state, word, Phase::native);
    if (any()) at(socket.index())->granted_ = 0;
  });
  slabs_.forget_all();
  idle_rings.forked();
  search_anew_in_child();
  monitor_link.forked();
}

void Connections::inherit() {
  each_open_descriptor([this](int memory) {
    if (!UnreadBytes::is_ours(memory)) return;
    UnreadBytes bytes;
    const bool good = bytes.open(memory);
    if (good) {
      table.each([&](int fd, Handle socket) {
        SocketState* state = table.state(socket);
        Connection* connection =
            state == nullptr || table.cookie_of(*state, fd) != bytes.cookie() ? nullptr : at(socket.index());
        if (connection != nullptr) connection->inherit_unread(socket, bytes.cookie(), memory);
      });
      bytes.drop();
    }
    raw(SYS_close, memory);
  });
}

void Connections::exec_failed() {
  if (any() && !table.on_loan()) each_record([](Connection& connection) { (void)connection.leave_unread(false); });
}

}  // namespace sockdoc::preload
