#include "bench/say.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

namespace sockdoc::bench {

void say(const Json& document) {
  const std::string line = document.text() + "\n";
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody listens any more: stdin has ended too
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void say(const Error& error) {
  say(Json().begin_object().field("error", error.message()).field("errno", error.code).end_object());
}

}  // namespace sockdoc::bench
