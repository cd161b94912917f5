#pragma once

#include <memory>

#include "base/result.h"
#include "probes/bpf/btf.h"
#include "probes/bpf/symbols.h"

namespace sockdoc {

/**
 * Type information of the running kernel. Read when first asked for and kept for the process, since reading costs tens
 * of milliseconds. ENOENT: a kernel without BTF. Any thread may call it.
 */
Result<std::shared_ptr<const Btf>> kernel_btf();

/**
 * Functions of the running kernel, kept like the types and read again when modules came or went. Without CAP_SYSLOG
 * they are empty, which is not kept.
 */
Result<std::shared_ptr<const Symbols>> kernel_symbols();

}  // namespace sockdoc
