#include "probes/sockets/socket_address.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace sockdoc {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Address address_of(int family, const std::uint32_t words[4]) {
  Address address{};
  if (family == AF_INET) {
    std::copy(kMapped.begin(), kMapped.end(), address.begin());
    std::memcpy(address.data() + 12, words, 4);
  } else {
    std::memcpy(address.data(), words, 16);
  }
  return address;
}

bool is_mapped(const Address& address) { return std::equal(kMapped.begin(), kMapped.end(), address.begin()); }

bool is_wildcard(const Address& address) {
  const auto first = is_mapped(address) ? address.begin() + 12 : address.begin();
  return std::all_of(first, address.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool is_loopback(const Address& address) {
  if (is_mapped(address)) return address[12] == 127;
  return address[15] == 1 && std::all_of(address.begin(), address.end() - 1, [](std::uint8_t b) { return b == 0; });
}

std::string address_text(int family, const Address& address) {
  char text[INET6_ADDRSTRLEN];
  const void* bytes = family == AF_INET ? address.data() + 12 : address.data();
  return ::inet_ntop(family, bytes, text, sizeof text) != nullptr ? text : "";
}

std::string endpoint_text(int family, const Address& address, std::uint16_t port) {
  const std::string text = address_text(family, address);
  return (family == AF_INET ? text : "[" + text + "]") + ":" + std::to_string(port);
}

}  // namespace sockdoc
