#pragma once

#include <cstddef>

namespace sockdoc {

/**
 * What an operation on a stream came to: bytes that moved, or an errno value. EAGAIN: nothing can move now. EPROTO: the
 * shared words cannot be what an honest peer wrote; the connection must end with ECONNRESET. `end`: end of stream.
 */
struct Moved {
  std::size_t bytes = 0;
  int error = 0;
  bool end = false;
};

}  // namespace sockdoc
