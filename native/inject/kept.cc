#include "inject/kept.h"

#include <arpa/inet.h>

namespace sockdoc::inject {
namespace {

/** Larger numbers than a reader of JSON holds are none that libsd has counted. */
constexpr std::uint64_t kMost = std::uint64_t{1} << 53;

struct Why {
  const char* word;
  const char* direction;  // of the connection; null where it is about both, or none
  const char* sentence;   // behind the connection's name
};

Why why_of(const sockdoc_attach_kept& kept) {
  switch (kept.why) {
    case SOCKDOC_KEPT_UNREAD:
      return {"unread", "in", "has bytes in memory that its program does not read"};
    case SOCKDOC_KEPT_RECEIVING:
      return {"receiving", "in", "was being received by whenever it was looked at"};
    case SOCKDOC_KEPT_SENDING:
      return {"sending", "out", "was being sent by whenever it was looked at"};
    case SOCKDOC_KEPT_PEER_READS:
      return {"peer-reads", "out", "waits for its other end, which stands in the middle of a read"};
    case SOCKDOC_KEPT_CROSSING:
      return {"crossing", nullptr, "was about to go over to memory whenever it was looked at"};
    case SOCKDOC_KEPT_MONITOR:
      return {"monitor", nullptr, "A thread of it was speaking with the monitor whenever it was looked at"};
    case SOCKDOC_KEPT_INTEREST:
      return {"interest", nullptr, "An epoll set of it could not be brought up to date whenever it was looked at"};
    default:
      return {"unknown", nullptr, "is not back on the kernel"};
  }
}

/** As ss(8) writes it. */
std::string endpoint(std::uint32_t family, const std::uint8_t (&address)[16], std::uint16_t port) {
  char text[INET6_ADDRSTRLEN] = "";
  const bool four = family == AF_INET;
  ::inet_ntop(four ? AF_INET : AF_INET6, four ? address + 12 : address, text, sizeof text);
  return (four ? std::string(text) : "[" + std::string(text) + "]") + ":" + std::to_string(port);
}

bool is_about_no_connection(const sockdoc_attach_kept& kept) {
  return kept.why == SOCKDOC_KEPT_MONITOR || kept.why == SOCKDOC_KEPT_INTEREST;
}

std::string name_of(const sockdoc_attach_kept& kept) {
  if (kept.fd < 0) return "A connection without a descriptor";
  std::string name = "Descriptor " + std::to_string(kept.fd);
  if (kept.family == 0) return name;
  return name + " (" + endpoint(kept.family, kept.local, kept.local_port) + " to " +
         endpoint(kept.family, kept.remote, kept.remote_port) + ")";
}

}  // namespace

void write_kept(Json& json, std::span<const sockdoc_attach_kept> kept) {
  json.key("kept").begin_array();
  for (const auto& one : kept) {
    const Why why = why_of(one);
    json.begin_object().field("why", std::string_view(why.word));
    if (why.direction != nullptr) json.field("direction", std::string_view(why.direction));
    if (one.fd >= 0) json.field("fd", one.fd);
    if (one.family != 0) {
      json.field("local", endpoint(one.family, one.local, one.local_port));
      json.field("remote", endpoint(one.family, one.remote, one.remote_port));
    }
    if (one.unread != 0 && one.unread < kMost) json.field("unreadBytes", one.unread);
    if (one.before != 0 && one.before < kMost) json.field("kernelBytesBefore", one.before);
    json.end_object();
  }
  json.end_array();
}

std::string kept_sentence(const sockdoc_attach_kept& first, std::uint64_t count) {
  const Why why = why_of(first);
  std::string text = is_about_no_connection(first) ? why.sentence : name_of(first) + " " + why.sentence;
  if (first.why == SOCKDOC_KEPT_UNREAD && first.unread != 0) {
    text += ": " + std::to_string(first.unread);
    if (first.before != 0) text += ", behind " + std::to_string(first.before) + " that come by the kernel";
  }
  if (count > 1) text += "; and " + std::to_string(count - 1) + " more";
  return text + ".";
}

}  // namespace sockdoc::inject
