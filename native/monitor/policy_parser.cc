#include "monitor/policy_parser.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/fd.h"
#include "base/procfs.h"

namespace sockdoc::monitor {
namespace {

constexpr std::size_t kMaxErrors = 20;
constexpr std::size_t kMaxBytes = 1u << 20;
constexpr std::string_view kBlanks = " \t";
constexpr const char* kConditions = "uid=, gid=, cgroup=, executable=, address=, port= or any";

struct Word {
  std::string_view text;
  int column = 1;
};

/** The words of a line, without what follows a '#' that begins a word. */
std::vector<Word> words_of(std::string_view line) {
  std::vector<Word> words;
  for (std::size_t at = 0; (at = line.find_first_not_of(kBlanks, at)) != std::string_view::npos;) {
    if (line[at] == '#') break;
    const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    words.push_back({line.substr(at, end - at), static_cast<int>(at) + 1});
    at = end;
  }
  return words;
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint32_t> user_named(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) return std::nullopt;
  return entry->pw_uid;
}

std::optional<std::uint32_t> group_named(const std::string& name) {
  const ::group* entry = ::getgrnam(name.c_str());
  if (entry == nullptr) return std::nullopt;
  return entry->gr_gid;
}

class Parser {
 public:
  ParsedPolicy parse(std::string_view text) {
    while (!text.empty() && out_.errors.size() < kMaxErrors) {
      ++line_;
      std::string_view line = take_until(text, '\n');
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (const std::size_t at = line.find('\0'); at != std::string_view::npos) {
        complain(static_cast<int>(at) + 1, "a zero byte", "text");
        continue;
      }
      if (const auto words = words_of(line); !words.empty()) statement(words);
    }
    return std::move(out_);
  }

 private:
  void complain(int column, std::string message, std::string expected) {
    out_.errors.push_back({line_, column, std::move(message), std::move(expected)});
  }
  void complain(const Word& word, const std::string& message, std::string expected) {
    complain(word.column, message, std::move(expected));
  }
  static std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

  void statement(const std::vector<Word>& words) {
    const Word& first = words.front();
    if (first.text == "allow" || first.text == "deny") return rule(words);
    if (first.text == "limit") return limit(words);
    complain(first, quoted(first.text) + " begins no statement", "allow, deny or limit");
  }

  void rule(const std::vector<Word>& words) {
    Rule rule;
    rule.line = line_;
    rule.verdict = words.front().text == "allow" ? Verdict::allow : Verdict::deny;
    const std::size_t before = out_.errors.size();
    EndRule* end = &rule.one;
    int conditions = 0;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const Word& word = words[i];
      if (word.text == "with") {
        if (rule.other) complain(word, "a second \"with\"", "one at most: a connection has two ends");
        if (conditions == 0) complain(word, "nothing before \"with\"", kConditions);
        rule.other.emplace();
        end = &*rule.other;
        conditions = 0;
      } else if (word.text == "same-user") {
        rule.same_user = true;
        ++conditions;
      } else {
        condition(word, *end);
        ++conditions;
      }
    }
    if (conditions == 0) {
      const Word& last = words.back();
      complain(last.column + static_cast<int>(last.text.size()), "nothing after " + quoted(last.text), kConditions);
    }
    if (rule.verdict == Verdict::allow && !rule.other && !rule.one.ports.empty()) {
      complain(words.front(), "no connection has this port at both ends", "allow port=N … with any");
    }
    if (out_.errors.size() == before) out_.policy.rules.push_back(std::move(rule));
  }

  void condition(const Word& word, EndRule& end) {
    if (word.text == "any") return;
    const std::size_t equals = word.text.find('=');
    if (equals == std::string_view::npos) return complain(word, quoted(word.text) + " is no condition", kConditions);
    const std::string_view name = word.text.substr(0, equals);
    const Word value{word.text.substr(equals + 1), word.column + static_cast<int>(equals) + 1};
    if (name == "uid") return numbers(value, end.uids, ~0u - 1, user_named, "a user's number, range or name");
    if (name == "gid") return numbers(value, end.gids, ~0u - 1, group_named, "a group's number, range or name");
    if (name == "port") {
      return numbers(
          value, end.ports, 65535, [](const std::string&) { return std::optional<std::uint32_t>(); },
          "a port from 1 to 65535, or a range");
    }
    if (name == "cgroup") return pattern(value, end.cgroups, "a cgroup's path, as in /system.slice/*");
    if (name == "executable") return pattern(value, end.executables, "a program's path, as in /usr/sbin/nginx");
    if (name == "address") return addresses(value, end.addresses);
    complain(word, "unknown condition " + quoted(name), kConditions);
  }

  template <typename Visit>
  void each(const Word& value, const std::string& expected, Visit visit) {
    std::string_view rest = value.text;
    if (rest.empty() || rest.ends_with(',')) return complain(value, "a value is missing", expected);
    while (!rest.empty()) {
      const int column = value.column + static_cast<int>(value.text.size() - rest.size());
      const Word item{take_until(rest, ','), column};
      if (item.text.empty()) return complain(item, "a value is missing", expected);
      visit(item);
    }
  }

  template <typename Named>
  void numbers(const Word& value, Ranges<std::uint32_t>& into, std::uint32_t most, Named named,
               const std::string& expected) {
    each(value, expected, [&](const Word& item) {
      const std::size_t dash = item.text.find('-');
      const auto low = whole_number(item.text.substr(0, dash));
      const auto high = dash == std::string_view::npos ? low : whole_number(item.text.substr(dash + 1));
      if (low && high && *low <= *high && *high <= most) {
        into.emplace_back(static_cast<std::uint32_t>(*low), static_cast<std::uint32_t>(*high));
        return;
      }
      const auto id = low ? std::nullopt : named(std::string(item.text));
      if (!id) return complain(item, quoted(item.text) + " is unknown here or out of range", expected);
      into.emplace_back(*id, *id);
    });
  }

  void pattern(const Word& value, std::vector<std::string>& into, const std::string& expected) {
    if (!value.text.starts_with('/')) return complain(value, "no absolute path", expected);
    into.emplace_back(value.text);
  }

  void addresses(const Word& value, std::vector<Subnet>& into) {
    const std::string expected = "an address, with /BITS for a subnet, as in 10.0.0.0/8";
    each(value, expected, [&](const Word& item) {
      std::string_view rest = item.text;
      const std::string address(take_until(rest, '/'));
      Subnet subnet;
      std::uint32_t words[4] = {};
      unsigned width = 128;
      if (::inet_pton(AF_INET, address.c_str(), words) == 1) {
        subnet.address = address_of(AF_INET, words);
        width = 32;
      } else if (::inet_pton(AF_INET6, address.c_str(), words) == 1) {
        subnet.address = address_of(AF_INET6, words);
      } else {
        return complain(item, quoted(address) + " is no address", expected);
      }
      const bool slash = item.text.find('/') != std::string_view::npos;
      const auto bits = slash ? whole_number(rest) : std::optional<std::uint64_t>(width);
      if (!bits || *bits > width) return complain(item, quoted(rest) + " is no length of a prefix", expected);
      subnet.bits = 128 - width + static_cast<unsigned>(*bits);
      into.push_back(subnet);
    });
  }

  void limit(const std::vector<Word>& words) {
    constexpr const char* kExpected = "slabs=N, bytes=N, connections=N, requests=N or ring=N";
    if (words.size() < 2) return complain(words.front().column + 5, "nothing after \"limit\"", kExpected);
    for (std::size_t i = 1; i < words.size(); ++i) {
      std::string_view value = words[i].text;
      const std::string_view name = take_until(value, '=');
      Limits& limits = out_.policy.limits;
      std::uint64_t* into = name == "slabs"         ? &limits.slabs
                            : name == "bytes"       ? &limits.bytes
                            : name == "connections" ? &limits.connections
                            : name == "requests"    ? &limits.requests
                            : name == "ring"        ? &limits.ring
                                                    : nullptr;
      if (into == nullptr) {
        complain(words[i], "unknown limit " + quoted(name), kExpected);
        continue;
      }
      const Word at{value, words[i].column + static_cast<int>(name.size()) + 1};
      const auto number = size(value);
      if (!number || *number == 0 || *number > std::uint64_t{1} << 48) {
        complain(at, quoted(value) + " is no limit", "a number above 0, with K, M or G for 2^10, 2^20, 2^30");
      } else if (into == &limits.ring && !ring_fits(*number)) {
        complain(at, quoted(value) + " is no size of a ring", "a power of two from 4K to 16M");
      } else {
        *into = *number;
      }
    }
  }

  static bool ring_fits(std::uint64_t bytes) {
    return bytes >= 4096 && bytes <= 16u << 20 && (bytes & (bytes - 1)) == 0;
  }

  static std::optional<std::uint64_t> size(std::string_view text) {
    unsigned shift = 0;
    if (text.ends_with('K')) shift = 10;
    if (text.ends_with('M')) shift = 20;
    if (text.ends_with('G')) shift = 30;
    if (shift != 0) text.remove_suffix(1);
    const auto number = whole_number(text);
    if (!number || *number > ~std::uint64_t{0} >> shift) return std::nullopt;
    return *number << shift;
  }

  ParsedPolicy out_;
  int line_ = 0;
};

ParsedPolicy unreadable(std::string message, std::string expected) {
  ParsedPolicy parsed;
  parsed.errors.push_back({0, 0, std::move(message), std::move(expected)});
  return parsed;
}

}  // namespace

ParsedPolicy parse_policy(std::string_view text) { return Parser().parse(text); }

std::string error_line(const std::string& path, const PolicyError& error) {
  const std::string place =
      error.line == 0 ? "" : ":" + std::to_string(error.line) + ":" + std::to_string(error.column);
  return path + place + ": " + error.message + " (expected: " + error.expected + ")";
}

ParsedPolicy read_policy(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
    return unreadable(std::strerror(errno), "a policy as in docs/policy.md");
  }
  if (!S_ISREG(info.st_mode)) return unreadable("not a regular file", "a policy as in docs/policy.md");
  if ((info.st_uid != 0 && info.st_uid != ::geteuid()) || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return unreadable("others than root and you may change it, and so decide who shares memory",
                      "a file of root's or yours with mode 0644 or stricter");
  }
  std::string text(kMaxBytes + 1, '\0');
  std::size_t length = 0;
  for (ssize_t got = 1; got > 0 && length < text.size(); length += static_cast<std::size_t>(got)) {
    got = ::read(fd.get(), text.data() + length, text.size() - length);
    if (got < 0) return unreadable(std::strerror(errno), "a policy as in docs/policy.md");
  }
  if (length > kMaxBytes) return unreadable("more than 1 MiB", "a policy as in docs/policy.md");
  ParsedPolicy parsed = parse_policy(std::string_view(text).substr(0, length));
  parsed.policy.path = path;
  return parsed;
}

}  // namespace sockdoc::monitor
