#include "settings/netns_identity.h"

#include <sys/socket.h>

#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "base/json.h"
#include "base/netns.h"
#include "settings/answer.h"

namespace sockdoc {
namespace {

#ifndef SO_NETNS_COOKIE
constexpr int kNetnsCookie = 71;  // asm-generic/socket.h
#else
constexpr int kNetnsCookie = SO_NETNS_COOKIE;
#endif

std::optional<std::uint64_t> cookie_here() {
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  if (!fd.valid() || ::getsockopt(fd.get(), SOL_SOCKET, kNetnsCookie, &cookie, &length) != 0) return std::nullopt;
  return cookie;
}

}  // namespace

std::string read_netns_identity(const std::string& path) {
  Result<std::uint64_t> id = Error{EIO, path};
  std::optional<std::uint64_t> cookie;
  const Status entered = in_netns(path, false, [&] {
    id = netns_id("");
    cookie = cookie_here();
  });
  if (!entered) return write_answer(entered);
  if (!id) return write_answer(id.error());
  Json json;
  json.begin_object().field("id", std::to_string(*id));
  if (cookie) json.field("cookie", std::to_string(*cookie));
  return json.end_object().take();
}

}  // namespace sockdoc
