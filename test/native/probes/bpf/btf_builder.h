#pragma once

#include <linux/btf.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace sockdoc {

/** Lays out type information by hand; ids count from 1. */
class BtfBuilder {
 public:
  /** Added to the kind of a struct whose members' offsets carry sizes of bit fields in their highest byte. */
  static constexpr unsigned kWithBitFields = 0x80;

  std::uint32_t integer(const char* name, std::uint32_t bytes) {
    const auto id = type(name, BTF_KIND_INT, 0, bytes);
    append(types_, bytes * 8);
    return id;
  }
  std::uint32_t type(const char* name, unsigned kind, unsigned count, std::uint32_t size_or_type) {
    append(types_, btf_type{string(name), kind << 24 | count, {size_or_type}});
    return ++last_;
  }
  void value(const btf_enum& value) { append(types_, value); }
  void member(const char* name, std::uint32_t type_id, std::uint32_t bit_offset) {
    append(types_, btf_member{string(name), type_id, bit_offset});
  }
  void array(std::uint32_t element, std::uint32_t count) { append(types_, btf_array{element, 0, count}); }
  void parameter(const btf_param& parameter) { append(types_, parameter); }
  std::uint32_t string(const char* text) {
    if (*text == '\0') return 0;
    const auto offset = static_cast<std::uint32_t>(strings_.size());
    strings_.append(text, std::strlen(text) + 1);
    return offset;
  }
  std::string finish() const {
    btf_header header{};
    header.magic = BTF_MAGIC;
    header.version = BTF_VERSION;
    header.hdr_len = sizeof header;
    header.type_len = static_cast<std::uint32_t>(types_.size());
    header.str_off = header.type_len;
    header.str_len = static_cast<std::uint32_t>(strings_.size());
    std::string data(reinterpret_cast<const char*>(&header), sizeof header);
    return data + types_ + strings_;
  }

 private:
  template <typename T>
  static void append(std::string& to, const T& value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string types_;
  std::string strings_ = std::string(1, '\0');
  std::uint32_t last_ = 0;
};

}  // namespace sockdoc
