#pragma once

#include <cstdint>

namespace sockdoc::inject {

/** An address in the target: never to be followed here. */
enum class Address : std::uint64_t {};

constexpr Address operator+(Address at, std::uint64_t distance) {
  return Address{static_cast<std::uint64_t>(at) + distance};
}
constexpr std::uint64_t number(Address at) { return static_cast<std::uint64_t>(at); }

}  // namespace sockdoc::inject
