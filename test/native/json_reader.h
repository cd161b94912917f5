#pragma once

#include <cctype>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sockdoc {

/** A value of a JSON document, for tests: throws on what is no JSON. Escapes other than \" \\ \uXXXX are not known. */
struct JsonValue {
  enum class Kind { null, boolean, number, text, array, object };
  Kind kind = Kind::null;
  double number = 0;  // also of a boolean
  std::string text;
  std::vector<JsonValue> items;
  std::map<std::string, JsonValue> fields;

  [[nodiscard]] bool has(const std::string& name) const { return fields.contains(name); }
  const JsonValue& operator[](const std::string& name) const { return fields.at(name); }
};

class JsonReader {
 public:
  static JsonValue read(std::string_view text) {
    JsonReader reader(text);
    JsonValue value = reader.value();
    reader.space();
    if (!reader.rest_.empty()) reader.fail("the end");
    return value;
  }

 private:
  explicit JsonReader(std::string_view text) : rest_(text) {}

  [[noreturn]] void fail(const std::string& expected) const {
    throw std::runtime_error("expected " + expected + " before: " + std::string(rest_.substr(0, 40)));
  }
  void space() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())) != 0) rest_.remove_prefix(1);
  }
  bool take(std::string_view token) {
    space();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void need(std::string_view token) {
    if (!take(token)) fail(std::string(token));
  }

  JsonValue value() {
    JsonValue value;
    if (take("{")) return object();
    if (take("[")) return array();
    if (take("\"")) {
      value.kind = JsonValue::Kind::text;
      value.text = text();
    } else if (take("true") || take("false")) {
      value.kind = JsonValue::Kind::boolean;
      value.number = rest_.data()[-2] == 'u' ? 1 : 0;  // tr-u-e, fal-s-e
    } else if (!take("null")) {
      value.kind = JsonValue::Kind::number;
      value.number = number();
    }
    return value;
  }

  JsonValue object() {
    JsonValue value;
    value.kind = JsonValue::Kind::object;
    if (take("}")) return value;
    do {
      need("\"");
      const std::string name = text();
      need(":");
      value.fields[name] = this->value();
    } while (take(","));
    need("}");
    return value;
  }

  JsonValue array() {
    JsonValue value;
    value.kind = JsonValue::Kind::array;
    if (take("]")) return value;
    do value.items.push_back(this->value());
    while (take(","));
    need("]");
    return value;
  }

  std::string text() {
    std::string out;
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() == '\\' && rest_.size() > 5 && rest_[1] == 'u') {
        out += static_cast<char>(std::strtol(std::string(rest_.substr(2, 4)).c_str(), nullptr, 16));
        rest_.remove_prefix(6);
        continue;
      }
      if (rest_.front() == '\\') rest_.remove_prefix(1);
      out += rest_.front();
      rest_.remove_prefix(1);
    }
    need("\"");
    return out;
  }

  double number() {
    const std::string copy(rest_.substr(0, 40));
    char* end = nullptr;
    const double number = std::strtod(copy.c_str(), &end);
    if (end == copy.c_str()) fail("a value");
    rest_.remove_prefix(static_cast<std::size_t>(end - copy.c_str()));
    return number;
  }

  std::string_view rest_;
};

}  // namespace sockdoc
