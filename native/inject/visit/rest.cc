#include "inject/visit/rest.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>

#include "inject/arch/x86_64.h"

namespace sockdoc::inject {
namespace {

constexpr std::uint64_t kMostParts = 200;  // as fit into a page
static_assert(sizeof(arch::Rest::header) == sizeof(msghdr));

bool is_message(const SystemCall& call) { return call.number == SYS_sendmsg || call.number == SYS_recvmsg; }

std::optional<msghdr> header_of(const Memory& memory, const SystemCall& call) {
  return memory.value<msghdr>(Address{call.arguments[1]});
}

/** Of a call with a vector. */
std::optional<std::vector<iovec>> parts_of(const Memory& memory, const SystemCall& call) {
  std::uint64_t at = call.arguments[1];
  std::uint64_t count = call.arguments[2];
  if (is_message(call)) {
    const auto header = header_of(memory, call);
    if (!header) return std::nullopt;
    at = reinterpret_cast<std::uint64_t>(header->msg_iov);
    count = header->msg_iovlen;
  }
  if (count > kMostParts) return std::nullopt;
  std::vector<iovec> parts(count);
  const std::size_t size = parts.size() * sizeof(iovec);
  if (memory.read(Address{at}, parts.data(), size) != size) return std::nullopt;
  return parts;
}

void skip(std::vector<iovec>& parts, std::uint64_t done) {
  for (iovec& part : parts) {
    const std::uint64_t skipped = std::min<std::uint64_t>(done, part.iov_len);
    part.iov_base = static_cast<char*>(part.iov_base) + skipped;
    part.iov_len -= skipped;
    done -= skipped;
  }
}

std::vector<std::uint8_t> bytes_of(const arch::Rest& rest, const std::vector<iovec>& parts) {
  std::vector<std::uint8_t> bytes(sizeof rest + parts.size() * sizeof(iovec));
  std::memcpy(bytes.data(), &rest, sizeof rest);
  if (!parts.empty()) std::memcpy(bytes.data() + sizeof rest, parts.data(), parts.size() * sizeof(iovec));
  return bytes;
}

}  // namespace

bool has_rest(const Memory& memory, const SystemCall& call) { return rest_of(memory, call, 0, Address{}).has_value(); }

std::optional<std::vector<std::uint8_t>> rest_of(const Memory& memory, const SystemCall& call, std::uint64_t done,
                                                 Address at) {
  arch::Rest rest;
  rest.number = static_cast<std::uint64_t>(call.number);
  std::copy(call.arguments.begin(), call.arguments.end(), rest.arguments);
  switch (call.number) {
    case SYS_sendfile:
      rest.arguments[3] -= done;
      return bytes_of(rest, {});
    case SYS_write:
    case SYS_sendto:
    case SYS_recvfrom:
      rest.arguments[1] += done;
      rest.arguments[2] -= done;
      return bytes_of(rest, {});
    case SYS_writev:
    case SYS_sendmsg:
    case SYS_recvmsg:
      break;
    default:
      return std::nullopt;
  }
  auto parts = parts_of(memory, call);
  if (!parts) return std::nullopt;
  skip(*parts, done);
  const Address behind = at + sizeof rest;
  if (call.number == SYS_writev) {
    rest.arguments[1] = number(behind);
    return bytes_of(rest, *parts);
  }
  auto header = header_of(memory, call);
  if (!header) return std::nullopt;
  header->msg_iov = reinterpret_cast<iovec*>(number(behind));
  // They went, or came, with the first byte.
  header->msg_control = nullptr;
  header->msg_controllen = 0;
  rest.takes_header = 1;
  std::memcpy(rest.header, &*header, sizeof *header);
  return bytes_of(rest, *parts);
}

}  // namespace sockdoc::inject
