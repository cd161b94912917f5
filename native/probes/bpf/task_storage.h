#pragma once

#include <cstdint>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "probes/bpf/map.h"

namespace sockdoc::bpf {

/**
 * A map whose values (`words` × 8 bytes, zero at first) the kernel keeps with each task and frees with it, so that no
 * thread that ends leaves an entry behind (Linux 5.11; EINVAL before). Programs get at it by bpf_task_storage_get().
 */
Result<Map> create_task_storage(std::uint32_t words, std::string_view name);

}  // namespace sockdoc::bpf
