#pragma once

#include <span>

#include "abi/attach.h"
#include "inject/ptrace/tracee.h"
#include "inject/refusal.h"
#include "inject/target/memory.h"

/*
 * Code of the target is written through a thread that stands still (PTRACE_POKEDATA). For that its memory need not be
 * writable, so that no rights change: neither systemd's MemoryDenyWriteExecute= nor PR_SET_MDWE minds, and the process
 * never has memory that may be written and executed.
 */
namespace sockdoc::inject {

/** Only words that differ. False when the thread does not stand still, or there is no memory. */
[[nodiscard]] bool write_code(const Tracee& stopped, const Memory& memory, Address at,
                              std::span<const std::uint8_t> code);

/**
 * The entries lead to libsd (`to_hooks`), or are libc's own again. With all threads stopped. Those that are as wanted
 * stay: an injector that was killed may have written some. Nothing is written when one is neither way.
 */
Refused write_entries(const Tracee& stopped, const Memory& memory, std::span<const sockdoc_attach_site> sites,
                      bool to_hooks);

}  // namespace sockdoc::inject
