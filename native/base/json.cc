#include "base/json.h"

#include <charconv>
#include <cmath>

namespace sockdoc {
namespace {

/** Length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629), 0 when there is none. */
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (length == 3 && ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f))) return 0;
  if (length == 4 && ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f))) return 0;
  return length;
}

/** Of a well-formed sequence. */
std::uint32_t code_point(std::string_view text, std::size_t length) {
  static constexpr std::uint32_t kFirstBits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  std::uint32_t code = static_cast<unsigned char>(text[0]) & kFirstBits[length];
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  return code;
}

bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

/** What could steer the terminal that a document is printed to, or hide text there: as in src/report/clean.ts. */
bool steers(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c || (code >= 0x200b && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

template <typename T>
void append_number(std::string& out, T number) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  if (error == std::errc()) out.append(buffer, end);
}

}  // namespace

void Json::separate() {
  if (comma_) text_ += ',';
  comma_ = true;
}

Json& Json::begin_object() {
  separate();
  text_ += '{';
  comma_ = false;
  return *this;
}

Json& Json::end_object() {
  text_ += '}';
  comma_ = true;
  return *this;
}

Json& Json::begin_array() {
  separate();
  text_ += '[';
  comma_ = false;
  return *this;
}

Json& Json::end_array() {
  text_ += ']';
  comma_ = true;
  return *this;
}

Json& Json::key(std::string_view name) {
  separate();
  quote(name);
  text_ += ':';
  comma_ = false;
  return *this;
}

Json& Json::value(std::string_view text) {
  separate();
  quote(text);
  return *this;
}

Json& Json::value(bool flag) {
  separate();
  text_ += flag ? "true" : "false";
  return *this;
}

Json& Json::value(double number) {
  separate();
  if (std::isfinite(number)) {
    append_number(text_, number);
  } else {
    text_ += "null";
  }
  return *this;
}

Json& Json::value(std::int64_t number) {
  separate();
  append_number(text_, number);
  return *this;
}

Json& Json::value(std::uint64_t number) {
  separate();
  append_number(text_, number);
  return *this;
}

Json& Json::raw(std::string_view document) {
  separate();
  text_ += document;
  return *this;
}

void Json::quote(std::string_view text) {
  text_ += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    text_ += text.substr(0, plain);
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(escape(text));
  }
  text_ += '"';
}

std::size_t Json::escape(std::string_view text) {
  const auto c = static_cast<unsigned char>(text.front());
  if (c == '"' || c == '\\') {
    text_ += '\\';
    text_ += text.front();
    return 1;
  }
  const std::size_t length = utf8_length(text);
  if (length == 0) {
    text_ += "\xef\xbf\xbd";
    return 1;
  }
  const std::uint32_t code = code_point(text, length);
  if (steers(code)) {
    static constexpr char kHex[] = "0123456789abcdef";
    text_ += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) text_ += kHex[code >> shift & 15];
  } else {
    text_ += text.substr(0, length);
  }
  return length;
}

}  // namespace sockdoc
