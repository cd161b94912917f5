#pragma once

#include <cstddef>
#include <cstdint>

namespace sockdoc {

/** The byte that belongs at a place of a stream: one that is lost, doubled or moved shows. */
inline std::byte stamp(std::uint64_t at) { return static_cast<std::byte>(at * 0x9e3779b97f4a7c15u >> 56); }

}  // namespace sockdoc
