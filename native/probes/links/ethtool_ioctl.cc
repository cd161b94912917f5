#include "probes/links/ethtool_ioctl.h"

#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>
#include <string_view>

namespace sockdoc {
namespace {

// Drivers report some thousands at most (queues × counters); more is not believed.
constexpr std::uint32_t kMaxStrings = 1u << 16;

// The kernel fills in as many as the driver has when asked, not as many as there was room for: leave some, should
// somebody add queues between our question for the count and the one for the contents.
constexpr std::size_t with_slack(std::size_t count) { return count * 2 + 1024; }

/** A structure of linux/ethtool.h with a flexible array behind it, in words so that it is aligned. */
class Variable {
 public:
  explicit Variable(std::size_t bytes) : words_((bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t)) {}
  template <typename T>
  T& as() {
    return *reinterpret_cast<T*>(words_.data());
  }
  void* data() { return words_.data(); }

 private:
  std::vector<std::uint64_t> words_;
};

/** From a field of fixed length, which need not be terminated. */
std::string field_text(const char* field, std::size_t length) { return {field, ::strnlen(field, length)}; }

struct SpeedRange {
  unsigned first, last;
  std::uint64_t mbps;
};

// Bits of the link modes up to Linux 5.6, which began to name them itself (ETH_SS_LINK_MODES).
constexpr SpeedRange kSpeeds[] = {
    {0, 1, 10},       {2, 3, 100},      {4, 5, 1000},     {12, 12, 10000}, {15, 15, 2500},  {17, 17, 1000},
    {18, 20, 10000},  {21, 22, 20000},  {23, 26, 40000},  {27, 30, 56000}, {31, 33, 25000}, {34, 35, 50000},
    {36, 39, 100000}, {40, 40, 50000},  {41, 41, 1000},   {42, 46, 10000}, {47, 47, 2500},  {48, 48, 5000},
    {52, 56, 50000},  {57, 61, 100000}, {62, 66, 200000}, {67, 67, 100},   {68, 68, 1000},  {69, 73, 400000},
    {75, 79, 100000}, {80, 84, 200000}, {85, 89, 400000}, {90, 91, 100},   {92, 92, 10},
};

std::uint64_t fastest_mode(const std::uint32_t* words, std::size_t count) {
  std::uint64_t fastest = 0;
  for (const SpeedRange& range : kSpeeds) {
    for (unsigned bit = range.first; bit <= range.last && bit / 32 < count; ++bit) {
      if ((words[bit / 32] >> (bit % 32) & 1) != 0) fastest = std::max(fastest, range.mbps);
    }
  }
  return fastest;
}

/** A maximum of 0 stands for a kind that the device does not have. */
void set_pair(std::uint32_t now, std::uint32_t max, MaybeNumber& to_now, MaybeNumber& to_max) {
  if (max == 0) return;
  to_now = now;
  to_max = max;
}

std::string hash_function(std::uint8_t bits) {
  // In the order of the ETH_RSS_HASH_*_BIT of the kernel.
  static constexpr const char* kNames[] = {"toeplitz", "xor", "crc32"};
  for (std::size_t bit = 0; bit < std::size(kNames); ++bit) {
    if ((bits >> bit & 1) != 0) return kNames[bit];
  }
  return {};
}

}  // namespace

Result<EthtoolIoctl> EthtoolIoctl::open() {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // A kernel or a container without IPv4 still has UNIX sockets, which take these ioctls too.
  if (!fd.valid()) fd = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno_error("socket for ethtool");
  return EthtoolIoctl(std::move(fd));
}

Status EthtoolIoctl::call(const std::string& link, void* command) {
  ifreq request{};
  if (link.size() >= sizeof request.ifr_name) return Error{ENAMETOOLONG, "ethtool"};
  link.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_data = static_cast<char*>(command);
  if (::ioctl(fd_.get(), SIOCETHTOOL, &request) != 0) return errno_error("ethtool");
  return Done{};
}

template <typename T>
Status EthtoolIoctl::get(const std::string& link, std::uint32_t number, T& answer) {
  answer.cmd = number;
  return call(link, &answer);
}

Result<DriverInfo> EthtoolIoctl::driver(const std::string& link) {
  ethtool_drvinfo info{};
  if (const Status got = get(link, ETHTOOL_GDRVINFO, info); !got) return got.error();
  const auto text = [](const char* field, std::size_t length) {
    const std::string value = field_text(field, length);
    return value == "N/A" ? std::string() : value;
  };
  return DriverInfo{text(info.driver, sizeof info.driver), text(info.fw_version, sizeof info.fw_version),
                    text(info.bus_info, sizeof info.bus_info)};
}

Result<std::uint32_t> EthtoolIoctl::string_count(const std::string& link, std::uint32_t set) {
  Variable buffer(sizeof(ethtool_sset_info) + sizeof(std::uint32_t));
  auto& info = buffer.as<ethtool_sset_info>();
  info.cmd = ETHTOOL_GSSET_INFO;
  info.sset_mask = std::uint64_t{1} << set;
  if (const Status got = call(link, buffer.data()); !got) return got.error();
  // The kernel takes the bit out of the mask when the device does not have the set.
  if (info.sset_mask == 0) return Error{EOPNOTSUPP, "ethtool"};
  return std::min(info.data[0], kMaxStrings);
}

Result<std::vector<std::string>> EthtoolIoctl::strings(const std::string& link, std::uint32_t set,
                                                       std::uint32_t count) {
  Variable buffer(sizeof(ethtool_gstrings) + with_slack(count) * ETH_GSTRING_LEN);
  auto& answer = buffer.as<ethtool_gstrings>();
  answer.cmd = ETHTOOL_GSTRINGS;
  answer.string_set = set;
  answer.len = count;
  if (const Status got = call(link, buffer.data()); !got) return got.error();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(answer.len, count); ++i) {
    names.push_back(field_text(reinterpret_cast<const char*>(answer.data) + i * ETH_GSTRING_LEN, ETH_GSTRING_LEN));
  }
  return names;
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> EthtoolIoctl::statistics(const std::string& link) {
  const auto count = string_count(link, ETH_SS_STATS);
  if (!count) return count.error();
  if (*count == 0) return Error{EOPNOTSUPP, "ethtool"};
  auto names = strings(link, ETH_SS_STATS, *count);
  if (!names) return names.error();
  Variable buffer(sizeof(ethtool_stats) + with_slack(*count) * sizeof(std::uint64_t));
  auto& answer = buffer.as<ethtool_stats>();
  answer.cmd = ETHTOOL_GSTATS;
  answer.n_stats = *count;
  if (const Status got = call(link, buffer.data()); !got) return got.error();
  // Another number than there are names: the device was set anew in between, and no name is sure.
  if (answer.n_stats != names->size()) return Error{EAGAIN, "ethtool"};
  std::vector<std::pair<std::string, std::uint64_t>> statistics;
  for (std::size_t i = 0; i < names->size(); ++i) {
    // Some drivers leave entries without a name, or indent theirs.
    std::string name = (*names)[i].substr(std::min((*names)[i].find_first_not_of(' '), (*names)[i].size()));
    std::uint64_t value = 0;
    std::memcpy(&value, reinterpret_cast<const std::byte*>(answer.data) + i * sizeof value, sizeof value);
    if (!name.empty()) statistics.emplace_back(std::move(name), value);
  }
  return statistics;
}

Result<Rss> EthtoolIoctl::rss(const std::string& link) {
  // First without room: how large are the table and the key?
  ethtool_rxfh sizes{};
  if (const Status got = get(link, ETHTOOL_GRSSH, sizes); !got) return got.error();
  const std::size_t entries = std::min(sizes.indir_size, kMaxStrings);
  if (entries != sizes.indir_size || sizes.key_size > kMaxStrings) return Error{EOVERFLOW, "ethtool"};
  Rss rss;
  rss.hash_function = hash_function(sizes.hfunc);
  if (entries == 0) return rss;
  Variable buffer(sizeof(ethtool_rxfh) + entries * sizeof(std::uint32_t) + sizes.key_size);
  auto& answer = buffer.as<ethtool_rxfh>();
  answer.cmd = ETHTOOL_GRSSH;
  answer.indir_size = sizes.indir_size;
  answer.key_size = sizes.key_size;
  if (const Status got = call(link, buffer.data()); !got) return got.error();
  rss.hash_function = hash_function(answer.hfunc);
  std::set<std::uint32_t> queues;
  for (std::size_t i = 0; i < std::min<std::size_t>(entries, answer.indir_size); ++i) {
    std::uint32_t queue = 0;
    std::memcpy(&queue, reinterpret_cast<const std::byte*>(answer.rss_config) + i * sizeof queue, sizeof queue);
    queues.insert(queue);
  }
  rss.table_size = entries;
  rss.queues_used = queues.size();
  return rss;
}

Result<LinkModes> EthtoolIoctl::modes(const std::string& link) {
  // First without room: the kernel answers with the number of words it wants, negated.
  ethtool_link_settings sizes{};
  if (const Status got = get(link, ETHTOOL_GLINKSETTINGS, sizes); !got) return got.error();
  const int words = -sizes.link_mode_masks_nwords;
  if (words <= 0 || words > 127) return Error{EPROTO, "ethtool"};
  Variable buffer(sizeof(ethtool_link_settings) + static_cast<std::size_t>(words) * 3 * sizeof(std::uint32_t));
  auto& answer = buffer.as<ethtool_link_settings>();
  answer.cmd = ETHTOOL_GLINKSETTINGS;
  answer.link_mode_masks_nwords = static_cast<std::int8_t>(words);
  if (const Status got = call(link, buffer.data()); !got) return got.error();
  LinkModes modes;
  if (answer.speed != static_cast<std::uint32_t>(SPEED_UNKNOWN) && answer.speed != 0) modes.speed_mbps = answer.speed;
  if (answer.duplex == DUPLEX_FULL) modes.duplex = "full";
  if (answer.duplex == DUPLEX_HALF) modes.duplex = "half";
  modes.auto_negotiation = answer.autoneg != AUTONEG_DISABLE;
  std::vector<std::uint32_t> supported(static_cast<std::size_t>(words));
  std::memcpy(supported.data(), answer.link_mode_masks, supported.size() * sizeof(std::uint32_t));
  if (const auto fastest = fastest_mode(supported.data(), supported.size())) modes.supported_speed_mbps = fastest;
  return modes;
}

Result<Rings> EthtoolIoctl::rings(const std::string& link) {
  ethtool_ringparam answer{};
  if (const Status got = get(link, ETHTOOL_GRINGPARAM, answer); !got) return got.error();
  Rings rings;
  set_pair(answer.rx_pending, answer.rx_max_pending, rings.rx, rings.rx_max);
  set_pair(answer.tx_pending, answer.tx_max_pending, rings.tx, rings.tx_max);
  return rings;
}

Result<Channels> EthtoolIoctl::channels(const std::string& link) {
  ethtool_channels answer{};
  if (const Status got = get(link, ETHTOOL_GCHANNELS, answer); !got) return got.error();
  Channels channels;
  set_pair(answer.rx_count, answer.max_rx, channels.rx, channels.rx_max);
  set_pair(answer.tx_count, answer.max_tx, channels.tx, channels.tx_max);
  set_pair(answer.combined_count, answer.max_combined, channels.combined, channels.combined_max);
  return channels;
}

Result<Coalescing> EthtoolIoctl::coalescing(const std::string& link) {
  ethtool_coalesce answer{};
  if (const Status got = get(link, ETHTOOL_GCOALESCE, answer); !got) return got.error();
  return Coalescing{
      answer.rx_coalesce_usecs,       answer.rx_max_coalesced_frames,       answer.tx_coalesce_usecs,
      answer.tx_max_coalesced_frames, answer.use_adaptive_rx_coalesce != 0, answer.use_adaptive_tx_coalesce != 0};
}

Result<std::vector<Feature>> EthtoolIoctl::features(const std::string& link) {
  const auto count = string_count(link, ETH_SS_FEATURES);
  if (!count) return count.error();
  const auto names = strings(link, ETH_SS_FEATURES, *count);
  if (!names) return names.error();
  const std::size_t blocks = (*count + 31) / 32;
  Variable buffer(sizeof(ethtool_gfeatures) + blocks * sizeof(ethtool_get_features_block));
  auto& answer = buffer.as<ethtool_gfeatures>();
  answer.cmd = ETHTOOL_GFEATURES;
  answer.size = static_cast<std::uint32_t>(blocks);
  if (const Status got = call(link, buffer.data()); !got) return got.error();
  std::vector<Feature> features;
  for (std::size_t bit = 0; bit < names->size(); ++bit) {
    ethtool_get_features_block block{};
    std::memcpy(&block, reinterpret_cast<const std::byte*>(answer.features) + bit / 32 * sizeof block, sizeof block);
    const std::uint32_t mask = 1u << (bit % 32);
    if ((*names)[bit].empty()) continue;
    features.push_back({(*names)[bit], (block.active & mask) != 0,
                        (block.available & mask) != 0 && (block.never_changed & mask) == 0});
  }
  return features;
}

Result<Pause> EthtoolIoctl::pause(const std::string& link) {
  ethtool_pauseparam answer{};
  if (const Status got = get(link, ETHTOOL_GPAUSEPARAM, answer); !got) return got.error();
  return Pause{answer.autoneg != 0, answer.rx_pause != 0, answer.tx_pause != 0};
}

Result<Timestamping> EthtoolIoctl::timestamping(const std::string& link) {
  ethtool_ts_info answer{};
  if (const Status got = get(link, ETHTOOL_GET_TS_INFO, answer); !got) return got.error();
  Timestamping facts{(answer.so_timestamping & SOF_TIMESTAMPING_TX_HARDWARE) != 0,
                     (answer.so_timestamping & SOF_TIMESTAMPING_RX_HARDWARE) != 0, std::nullopt};
  if (answer.phc_index >= 0) facts.clock_index = static_cast<std::uint64_t>(answer.phc_index);
  return facts;
}

}  // namespace sockdoc
