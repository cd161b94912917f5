#pragma once

#include <cstddef>
#include <cstdint>

namespace sockdoc {

/**
 * What an operation on a stream came to: bytes that moved, or an errno value. EAGAIN: nothing can move now. EPROTO: the
 * shared words cannot be what an honest peer wrote; the connection must end with ECONNRESET. `end`: end of stream.
 */
struct Moved {
  std::size_t bytes = 0;
  int error = 0;
  // No bool: the compiler would copy 13 bytes by two stores that overlap, and who loads them waits for both.
  std::uint32_t end = 0;
};

}  // namespace sockdoc
