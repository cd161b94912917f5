#include "probes/netlink.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>

namespace sockdoc {
namespace {

constexpr time_t kSilenceSeconds = 10;

std::size_t aligned(std::size_t length) { return (length + NLMSG_ALIGNTO - 1) & ~std::size_t{NLMSG_ALIGNTO - 1}; }

/** What NLMSG_ERROR and NLMSG_DONE carry: 0 or a negative errno. */
int carried_error(Bytes payload) {
  const int code = read_as<int>(payload).value_or(0);
  return code < 0 ? -code : 0;
}

}  // namespace

Bytes after(Bytes bytes, std::size_t length) {
  const std::size_t skip = aligned(length);
  return skip < bytes.size() ? bytes.subspan(skip) : Bytes();
}

std::uint64_t Attribute::number() const {
  switch (payload.size()) {
    case 1:
      return *as<std::uint8_t>();
    case 2:
      return *as<std::uint16_t>();
    case 4:
      return *as<std::uint32_t>();
    case 8:
      return *as<std::uint64_t>();
    default:
      return 0;
  }
}

std::string_view Attribute::text() const {
  const std::string_view all(reinterpret_cast<const char*>(payload.data()), payload.size());
  return all.substr(0, all.find('\0'));
}

void Attributes::Iterator::decode() {
  const auto header = read_as<nlattr>(rest_);
  if (!header || header->nla_len < sizeof(nlattr) || header->nla_len > rest_.size()) {
    rest_ = Bytes();
    return;
  }
  attribute_ = {static_cast<std::uint16_t>(header->nla_type & NLA_TYPE_MASK),
                rest_.subspan(sizeof(nlattr), header->nla_len - sizeof(nlattr))};
  taken_ = header->nla_len;
}

Attributes::Iterator& Attributes::Iterator::operator++() {
  rest_ = after(rest_, taken_);
  decode();
  return *this;
}

std::optional<Attribute> Attributes::find(std::uint16_t type) const {
  for (const Attribute& attribute : *this) {
    if (attribute.type == type) return attribute;
  }
  return std::nullopt;
}

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags) {
  const nlmsghdr header{0, type, static_cast<std::uint16_t>(flags | NLM_F_REQUEST), 0, 0};
  append_bytes(std::as_bytes(std::span(&header, 1)));
}

NetlinkRequest& NetlinkRequest::append_bytes(Bytes bytes) {
  message_.insert(message_.end(), bytes.begin(), bytes.end());
  message_.resize(aligned(message_.size()));
  return *this;
}

NetlinkRequest& NetlinkRequest::attribute_bytes(std::uint16_t type, Bytes payload) {
  const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()), type};
  append_bytes(std::as_bytes(std::span(&header, 1)));
  return append_bytes(payload);
}

NetlinkRequest& NetlinkRequest::attribute_text(std::uint16_t type, std::string_view text) {
  const std::string terminated(text);
  return attribute_bytes(type, std::as_bytes(std::span(terminated.c_str(), terminated.size() + 1)));
}

std::size_t NetlinkRequest::begin_nested(std::uint16_t type) {
  const std::size_t offset = message_.size();
  attribute_bytes(static_cast<std::uint16_t>(type | NLA_F_NESTED), Bytes());
  return offset;
}

NetlinkRequest& NetlinkRequest::end_nested(std::size_t offset) {
  const auto length = static_cast<std::uint16_t>(message_.size() - offset);
  std::memcpy(message_.data() + offset, &length, sizeof length);
  return *this;
}

bool NetlinkRequest::dump() const { return (read_as<nlmsghdr>(message_)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP; }

Bytes NetlinkRequest::finish(std::uint32_t sequence) {
  auto header = *read_as<nlmsghdr>(message_);
  header.nlmsg_len = static_cast<std::uint32_t>(message_.size());
  header.nlmsg_seq = sequence;
  // Without an acknowledgement the end of a single answer could not be told from its middle; a dump has its own end.
  if (!dump()) header.nlmsg_flags |= NLM_F_ACK;
  std::memcpy(message_.data(), &header, sizeof header);
  return message_;
}

Result<bool> walk_messages(Bytes datagram, std::uint32_t sequence, const NetlinkHandler& handler, NetlinkEnd& end) {
  while (const auto header = read_as<nlmsghdr>(datagram)) {
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) break;
    const Bytes payload = datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr));
    if (header->nlmsg_seq == sequence) {
      if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) end.interrupted = true;
      if (header->nlmsg_type == NLMSG_ERROR || header->nlmsg_type == NLMSG_DONE) {
        if (const int code = carried_error(payload); code != 0) return Error{code, "netlink"};
        return true;
      }
      if (header->nlmsg_type >= NLMSG_MIN_TYPE) handler(header->nlmsg_type, payload);
    }
    datagram = after(datagram, header->nlmsg_len);
  }
  return false;
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return errno_error("netlink socket");
  const timeval silence{kSilenceSeconds, 0};
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
  return NetlinkSocket(std::move(fd));
}

bool NetlinkSocket::enable(int option) {
  const int on = 1;
  return ::setsockopt(fd_.get(), SOL_NETLINK, option, &on, sizeof on) == 0;
}

Result<NetlinkEnd> NetlinkSocket::request(NetlinkRequest& request, const NetlinkHandler& handler) {
  return request_some(request, [&](std::uint16_t type, Bytes payload) {
    handler(type, payload);
    return true;
  });
}

Result<NetlinkEnd> NetlinkSocket::request_some(NetlinkRequest& request,
                                               const std::function<bool(std::uint16_t type, Bytes payload)>& handler) {
  const std::uint32_t sequence = ++sequence_;
  if (const Status sent = send(request.finish(sequence)); !sent) return sent.error();
  NetlinkEnd end;
  const NetlinkHandler until_stopped = [&](std::uint16_t type, Bytes payload) {
    if (!end.stopped) end.stopped = !handler(type, payload);
  };
  for (;;) {
    const Result<Bytes> datagram = receive();
    if (!datagram) return datagram.error();
    const Result<bool> complete = walk_messages(*datagram, sequence, until_stopped, end);
    if (!complete) return complete.error();
    if (*complete || end.stopped) return end;
  }
}

Status NetlinkSocket::send(Bytes message) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const auto* to = reinterpret_cast<const sockaddr*>(&kernel);
  while (::sendto(fd_.get(), message.data(), message.size(), 0, to, sizeof kernel) < 0) {
    if (errno != EINTR) return errno_error("send to netlink");
  }
  return Done{};
}

Result<Bytes> NetlinkSocket::receive() {
  for (;;) {
    sockaddr_nl sender{};
    iovec into{buffer_.data(), buffer_.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &into;
    message.msg_iovlen = 1;
    const ssize_t got = ::recvmsg(fd_.get(), &message, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{errno == EAGAIN ? ETIMEDOUT : errno, "receive from netlink"};
    if ((message.msg_flags & MSG_TRUNC) != 0) return Error{EMSGSIZE, "receive from netlink"};
    if (sender.nl_pid != 0) continue;  // another program, not the kernel
    return Bytes(buffer_).first(static_cast<std::size_t>(got));
  }
}

}  // namespace sockdoc
