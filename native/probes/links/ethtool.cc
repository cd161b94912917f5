#include "probes/links/ethtool.h"

#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>

#include <optional>
#include <utility>

#include "probes/genetlink.h"
#include "probes/links/ethtool_ioctl.h"
#include "probes/links/ethtool_messages.h"

namespace sockdoc {
namespace {

constexpr int kNotSupportedByDriver = 524;  // ENOTSUPP, which the kernel means to keep to itself

bool unsupported(const Error& error) { return error.code == EOPNOTSUPP || error.code == kNotSupportedByDriver; }

/** The ethtool family of generic netlink. */
class EthtoolNetlink {
 public:
  static std::optional<EthtoolNetlink> open() {
    auto socket = NetlinkSocket::open(NETLINK_GENERIC);
    if (!socket) return std::nullopt;
    const auto family = generic_family(*socket, ETHTOOL_GENL_NAME);
    if (!family) return std::nullopt;
    return EthtoolNetlink(std::move(*socket), *family);
  }

  /** Calls `parse(link index, message)` for each link whose driver answers. */
  template <typename Parse>
  Status dump(std::uint8_t command, std::uint32_t flags, const Parse& parse) {
    NetlinkRequest request = generic_request(family_, command, ETHTOOL_GENL_VERSION, NLM_F_DUMP);
    const std::size_t header = request.begin_nested(kHeader);
    request.attribute<std::uint32_t>(ETHTOOL_A_HEADER_FLAGS, flags).end_nested(header);
    const auto answer = socket_.request(request, [&](std::uint16_t, Bytes payload) {
      const Attributes message = generic_attributes(payload);
      parse(ethtool_link_index(message), message);
    });
    if (!answer) return answer.error();
    return Done{};
  }

  /** Names that are the same for all links. */
  BitNames strings(std::uint32_t set) {
    NetlinkRequest request = generic_request(family_, ETHTOOL_MSG_STRSET_GET, ETHTOOL_GENL_VERSION, 0);
    const std::size_t sets = request.begin_nested(ETHTOOL_A_STRSET_STRINGSETS);
    const std::size_t one = request.begin_nested(ETHTOOL_A_STRINGSETS_STRINGSET);
    request.attribute<std::uint32_t>(ETHTOOL_A_STRINGSET_ID, set).end_nested(one).end_nested(sets);
    BitNames names;
    const auto answer = socket_.request(
        request, [&](std::uint16_t, Bytes payload) { names = parse_string_set(generic_attributes(payload), set); });
    return answer ? names : BitNames();
  }

 private:
  // ETHTOOL_A_*_HEADER is the first attribute of every message.
  static constexpr std::uint16_t kHeader = 1;

  EthtoolNetlink(NetlinkSocket socket, std::uint16_t family) : socket_(std::move(socket)), family_(family) {}

  NetlinkSocket socket_;
  std::uint16_t family_;
};

/** Both interfaces, and the reading of one topic through them. */
class Reader {
 public:
  Reader(const std::vector<LinkRow>& links, EthtoolWay way, Gaps& gaps)
      : links_(links), gaps_(gaps), ioctl_(EthtoolIoctl::open()) {
    if (way == EthtoolWay::netlink_first) netlink_ = EthtoolNetlink::open();
    if (!ioctl_) gaps_.add_errno("links", "ethtool", ioctl_.error().code, "");
  }

  BitNames strings(std::uint32_t set) { return netlink_ ? netlink_->strings(set) : BitNames(); }

  /** Fills the member `topic` of each link: `parse` from netlink, `ask` by ioctl where netlink said nothing. */
  template <typename Row, typename Topic, typename Parse, typename Ask>
  void topic(std::map<int, Row>& rows, const char* name, std::optional<Topic> Row::*topic, std::uint8_t command,
             const Parse& parse, const Ask& ask) {
    // Complete: the links that are not in the answer have drivers without the topic.
    if (netlink_ && netlink_->dump(command, ETHTOOL_FLAG_COMPACT_BITSETS, [&](int link, const Attributes& message) {
          if (rows.contains(link)) rows[link].*topic = parse(message);
        })) {
      return;
    }
    by_ioctl(rows, name, topic, ask);
  }

  template <typename Row, typename Topic, typename Ask>
  void by_ioctl(std::map<int, Row>& rows, const char* name, std::optional<Topic> Row::*topic, const Ask& ask) {
    if (!ioctl_) return;
    for (const LinkRow& link : links_) {
      std::optional<Topic>& to = rows[link.index].*topic;
      if (to) continue;
      auto answer = ask(*ioctl_, link.name);
      if (answer) {
        to = std::move(*answer);
      } else if (!unsupported(answer.error())) {
        gaps_.add_errno("links", std::string(name) + " of " + link.name, answer.error().code, "CAP_NET_ADMIN");
      }
    }
  }

  /** Counters of pause frames, which only netlink has (Linux 5.10). */
  void pause_frames(std::map<int, EthtoolCounters>& rows) {
    if (!netlink_) return;
    (void)netlink_->dump(ETHTOOL_MSG_PAUSE_GET, ETHTOOL_FLAG_STATS, [&](int link, const Attributes& message) {
      if (rows.contains(link)) rows[link].pause = parse_pause_frames(message);
    });
  }

 private:
  const std::vector<LinkRow>& links_;
  Gaps& gaps_;
  Result<EthtoolIoctl> ioctl_;
  std::optional<EthtoolNetlink> netlink_;
};

template <typename Row>
std::map<int, Row> rows_of(const std::vector<LinkRow>& links) {
  std::map<int, Row> rows;
  for (const LinkRow& link : links) rows[link.index];
  return rows;
}

}  // namespace

std::map<int, EthtoolFacts> read_ethtool_facts(const std::vector<LinkRow>& links, EthtoolWay way, Gaps& gaps) {
  using Facts = EthtoolFacts;
  auto rows = rows_of<Facts>(links);
  Reader reader(links, way, gaps);
  const BitNames mode_names = reader.strings(ETH_SS_LINK_MODES);
  const BitNames feature_names = reader.strings(ETH_SS_FEATURES);
  const auto by = [](auto method) {
    return [method](EthtoolIoctl& ioctl, const std::string& link) { return (ioctl.*method)(link); };
  };
  reader.topic(
      rows, "link modes", &Facts::modes, ETHTOOL_MSG_LINKMODES_GET,
      [&](const Attributes& message) { return parse_link_modes(message, mode_names); }, by(&EthtoolIoctl::modes));
  // Only netlink has these.
  const Error unsupported_here{EOPNOTSUPP, "ethtool"};
  reader.topic(rows, "link state", &Facts::state, ETHTOOL_MSG_LINKSTATE_GET, parse_link_state,
               [&](EthtoolIoctl&, const std::string&) -> Result<LinkState> { return unsupported_here; });
  reader.topic(
      rows, "error correction", &Facts::error_correction, ETHTOOL_MSG_FEC_GET,
      [&](const Attributes& message) { return parse_error_correction(message, mode_names); },
      [&](EthtoolIoctl&, const std::string&) -> Result<ErrorCorrection> { return unsupported_here; });
  reader.topic(rows, "rings", &Facts::rings, ETHTOOL_MSG_RINGS_GET, parse_rings, by(&EthtoolIoctl::rings));
  reader.topic(rows, "channels", &Facts::channels, ETHTOOL_MSG_CHANNELS_GET, parse_channels,
               by(&EthtoolIoctl::channels));
  reader.topic(rows, "coalescing", &Facts::coalescing, ETHTOOL_MSG_COALESCE_GET, parse_coalescing,
               by(&EthtoolIoctl::coalescing));
  if (feature_names.empty()) {
    reader.by_ioctl(rows, "features", &Facts::features, by(&EthtoolIoctl::features));
  } else {
    reader.topic(
        rows, "features", &Facts::features, ETHTOOL_MSG_FEATURES_GET,
        [&](const Attributes& message) { return parse_features(message, feature_names); }, by(&EthtoolIoctl::features));
  }
  reader.topic(rows, "pause", &Facts::pause, ETHTOOL_MSG_PAUSE_GET, parse_pause, by(&EthtoolIoctl::pause));
  // The dump of ETHTOOL_MSG_TSINFO_GET leaves out links without a time stamper since Linux 6.14, where asking for one
  // link at a time answers.
  reader.by_ioctl(rows, "time stamping", &Facts::timestamping, by(&EthtoolIoctl::timestamping));
  reader.by_ioctl(rows, "RSS", &Facts::rss, by(&EthtoolIoctl::rss));
  reader.by_ioctl(rows, "driver", &Facts::driver, by(&EthtoolIoctl::driver));
  return rows;
}

std::map<int, EthtoolCounters> read_ethtool_counters(const std::vector<LinkRow>& links, EthtoolWay way, Gaps& gaps) {
  auto rows = rows_of<EthtoolCounters>(links);
  Reader reader(links, way, gaps);
  reader.by_ioctl(rows, "driver statistics", &EthtoolCounters::driver,
                  [](EthtoolIoctl& ioctl, const std::string& link) { return ioctl.statistics(link); });
  reader.pause_frames(rows);
  return rows;
}

}  // namespace sockdoc
