#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sockdoc {

/**
 * Appends JSON to a string. Readings cross into JavaScript as one document: one crossing and V8's own parser are
 * cheaper than a call per property, and the same text is what the native tests look at.
 *
 * Misuse (a value without a key inside an object) is not detected: callers nest with begin_/end_ in pairs. Bytes that
 * are not UTF-8 (names of processes and of files may hold any) become U+FFFD, so the document always parses. Characters
 * that could steer a terminal are escaped, so that it may be printed as it is.
 */
class Json {
 public:
  Json() = default;
  /** Goes on behind a text; what it ends with has been separated. */
  explicit Json(std::string text) : text_(std::move(text)) {}

  Json& begin_object();
  Json& end_object();
  Json& begin_array();
  Json& end_array();
  Json& key(std::string_view name);

  Json& value(std::string_view text);
  Json& value(const char* text) { return value(std::string_view(text)); }
  Json& value(const std::string& text) { return value(std::string_view(text)); }
  Json& value(bool flag);
  Json& value(double number);
  Json& value(std::int64_t number);
  Json& value(std::uint64_t number);
  Json& value(int number) { return value(static_cast<std::int64_t>(number)); }
  Json& value(unsigned number) { return value(static_cast<std::uint64_t>(number)); }
  /** Appends a document made elsewhere, as it is. */
  Json& raw(std::string_view document);

  template <typename T>
  Json& field(std::string_view name, const T& content) {
    key(name);
    return value(content);
  }
  /** What is absent is left out: it never becomes zero. */
  template <typename T>
  Json& field(std::string_view name, const std::optional<T>& content) {
    return content ? field(name, *content) : *this;
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void separate();
  void quote(std::string_view text);
  /** Appends the first character so that it is harmless; how many bytes it took. */
  std::size_t escape(std::string_view text);

  std::string text_;
  bool comma_ = false;
};

}  // namespace sockdoc
