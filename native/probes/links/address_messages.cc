#include "probes/links/address_messages.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

namespace sockdoc {

std::string address_text(Bytes bytes) {
  char text[INET6_ADDRSTRLEN];
  const int family = bytes.size() == 4 ? AF_INET : bytes.size() == 16 ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC || ::inet_ntop(family, bytes.data(), text, sizeof text) == nullptr) return {};
  return text;
}

std::optional<AddressRow> parse_address(Bytes payload) {
  const auto fixed = read_as<ifaddrmsg>(payload);
  if (!fixed || (fixed->ifa_family != AF_INET && fixed->ifa_family != AF_INET6)) return std::nullopt;
  AddressRow row;
  row.link = static_cast<int>(fixed->ifa_index);
  row.ipv6 = fixed->ifa_family == AF_INET6;
  row.prefix_length = fixed->ifa_prefixlen;
  row.scope = fixed->ifa_scope;
  // On a point-to-point link IFA_ADDRESS is the peer's, and our own is IFA_LOCAL.
  const Attributes attributes(after(payload, sizeof(ifaddrmsg)));
  auto own = attributes.find(IFA_LOCAL);
  if (!own) own = attributes.find(IFA_ADDRESS);
  if (own) row.address = address_text(own->payload);
  if (row.address.empty()) return std::nullopt;
  return row;
}

Result<std::vector<AddressRow>> dump_addresses(NetlinkSocket& route, NetlinkEnd& end) {
  std::vector<AddressRow> addresses;
  NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP);
  request.append(ifaddrmsg{});
  const auto answer = route.request(request, [&](std::uint16_t type, Bytes payload) {
    if (type != RTM_NEWADDR) return;
    if (auto row = parse_address(payload)) addresses.push_back(std::move(*row));
  });
  if (!answer) return answer.error();
  end.interrupted |= answer->interrupted;
  return addresses;
}

std::string scope_name(std::uint8_t scope) {
  switch (scope) {
    case RT_SCOPE_UNIVERSE:
      return "global";
    case RT_SCOPE_SITE:
      return "site";
    case RT_SCOPE_LINK:
      return "link";
    case RT_SCOPE_HOST:
      return "host";
    default:
      return std::to_string(scope);
  }
}

}  // namespace sockdoc
