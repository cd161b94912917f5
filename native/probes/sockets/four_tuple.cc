#include "probes/sockets/four_tuple.h"

#include <cstring>

namespace sockdoc {
namespace {

std::uint64_t hash_of_end(const Address& address, std::uint16_t port) {
  std::uint64_t words[2];
  std::memcpy(words, address.data(), sizeof words);
  std::uint64_t hash = port;
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace

std::uint64_t hash_of_pair(const Address& local, std::uint16_t local_port, const Address& remote,
                           std::uint16_t remote_port) {
  const std::uint64_t sum = hash_of_end(local, local_port) + hash_of_end(remote, remote_port);
  return (sum ^ sum >> 32) * 0x9e3779b97f4a7c15u >> 16;
}

}  // namespace sockdoc
