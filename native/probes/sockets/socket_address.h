#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace sockdoc {

/** An IP address in the form of IPv6; IPv4 is mapped (::ffff:a.b.c.d), so that both ends of a connection compare. */
using Address = std::array<std::uint8_t, 16>;

/** From the four words of inet_diag_sockid; `family` is AF_INET or AF_INET6. */
Address address_of(int family, const std::uint32_t words[4]);

/** Whether it is one of IPv4. */
bool is_mapped(const Address& address);

bool is_wildcard(const Address& address);
bool is_loopback(const Address& address);

/** "192.0.2.1" or "2001:db8::1"; `family` decides whether a mapped address is written as IPv4. */
std::string address_text(int family, const Address& address);

/** "192.0.2.1:80", "[2001:db8::1]:80" */
std::string endpoint_text(int family, const Address& address, std::uint16_t port);

}  // namespace sockdoc
