#pragma once

#include "inject/ptrace/threads.h"
#include "inject/visit/visit.h"

namespace sockdoc::inject {

/**
 * Stops one thread where it surely holds no lock of the loader or of an allocator: in a call on a socket, an epoll set,
 * or poll and select, or in one that waits for a signal, a child or a long sleep; and where libsd waits for the next
 * send of a peer. Everywhere else, outside of libc too, it might. Threads that sleep in such a call come first; a busy
 * one is led to the end of its next, or to the beginning where it could be broken off in the middle. One that sleeps in
 * the middle comes last, where that can be finished. Null when there was none before the deadline; then nothing has
 * changed: a call that was cut short finishes by itself.
 */
Thread* stop_at_safe_point(Threads& threads, const Memory& memory, const EntryPoints& libc,
                           const std::optional<Image>& libsd, const Deadline& deadline);

}  // namespace sockdoc::inject
