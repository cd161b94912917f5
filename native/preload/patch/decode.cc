#include "preload/patch/decode.h"

#include <algorithm>
#include <cstring>

namespace sockdoc::preload {
namespace {

constexpr std::size_t kLongest = 15;

enum class Map { one_byte, two_byte, map_38, map_3a };

struct Prefixes {
  bool operand_size = false;  // 66
  bool address_size = false;  // 67
  bool rex_w = false;
};

/** Immediate bytes, or a ModRM byte, or both; `bad` where 64-bit mode has no such instruction. */
struct Shape {
  bool modrm = false;
  std::uint8_t immediate = 0;
  bool bad = false;
};

class Cursor {
 public:
  explicit Cursor(std::span<const std::uint8_t> code) : code_(code.first(std::min(code.size(), kLongest))) {}

  [[nodiscard]] bool more(std::size_t bytes = 1) const { return at_ + bytes <= code_.size(); }
  [[nodiscard]] std::uint8_t peek() const { return code_[at_]; }
  [[nodiscard]] std::uint8_t take() { return code_[at_++]; }
  [[nodiscard]] std::uint8_t at() const { return static_cast<std::uint8_t>(at_); }
  void skip(std::size_t bytes) { at_ += bytes; }

 private:
  std::span<const std::uint8_t> code_;
  std::size_t at_ = 0;
};

std::uint8_t immediate_z(const Prefixes& prefixes) { return prefixes.operand_size && !prefixes.rex_w ? 2 : 4; }

Shape shape_of_one_byte(std::uint8_t op, const Prefixes& prefixes) {
  const std::uint8_t z = immediate_z(prefixes);
  if (op < 0x40) {
    switch (op & 7) {
      case 4:
        return {.immediate = 1};
      case 5:
        return {.immediate = z};
      case 6:
      case 7:
        return {.bad = true};
      default:
        return {.modrm = true};
    }
  }
  if (op >= 0x70 && op <= 0x7f) return {.immediate = 1};
  if (op >= 0x84 && op <= 0x8f) return {.modrm = true};
  if (op >= 0xa0 && op <= 0xa3) return {.immediate = prefixes.address_size ? std::uint8_t{4} : std::uint8_t{8}};
  if (op >= 0xb0 && op <= 0xb7) return {.immediate = 1};
  if (op >= 0xb8 && op <= 0xbf) return {.immediate = prefixes.rex_w ? std::uint8_t{8} : z};
  if (op >= 0xd8 && op <= 0xdf) return {.modrm = true};
  switch (op) {
    case 0x60:
    case 0x61:
    case 0x82:
    case 0x9a:
    case 0xce:
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xea:
      return {.bad = true};
    case 0x63:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xf6:  // its immediate depends on ModRM
    case 0xf7:
    case 0xfe:
    case 0xff:
      return {.modrm = true};
    case 0x68:
    case 0xa9:
      return {.immediate = z};
    case 0x69:
    case 0x81:
    case 0xc7:
      return {.modrm = true, .immediate = z};
    case 0x6a:
    case 0xa8:
    case 0xcd:
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:
    case 0xeb:
      return {.immediate = 1};
    case 0x6b:
    case 0x80:
    case 0x83:
    case 0xc0:
    case 0xc1:
    case 0xc6:
      return {.modrm = true, .immediate = 1};
    case 0xc2:
    case 0xca:
      return {.immediate = 2};
    case 0xc8:
      return {.immediate = 3};
    case 0xe8:
    case 0xe9:
      return {.immediate = 4};
    default:
      return {};
  }
}

bool has_byte_in_two_byte_map(std::uint8_t op) {
  return (op >= 0x70 && op <= 0x73) || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 || op == 0xc4 ||
         op == 0xc5 || op == 0xc6 || op == 0x0f;
}

Shape shape_of_two_byte(std::uint8_t op) {
  if (op >= 0x80 && op <= 0x8f) return {.immediate = 4};
  if ((op >= 0x30 && op <= 0x35) || (op >= 0xc8 && op <= 0xcf)) return {};
  switch (op) {
    case 0x05:
    case 0x06:
    case 0x07:
    case 0x08:
    case 0x09:
    case 0x0b:
    case 0x0e:
    case 0x37:
    case 0x77:
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa8:
    case 0xa9:
    case 0xaa:
      return {};
    case 0x04:
    case 0x0a:
    case 0x0c:
    case 0x24:
    case 0x25:
    case 0x26:
    case 0x27:
    case 0x36:
    case 0x39:
    case 0x3b:
    case 0x3c:
    case 0x3d:
    case 0x3e:
    case 0x3f:
    case 0x78:  // with 66 or F2 it is SSE4a with two more bytes
    case 0x79:
      return {.bad = true};
    default:
      return {.modrm = true, .immediate = has_byte_in_two_byte_map(op) ? std::uint8_t{1} : std::uint8_t{0}};
  }
}

/** ModRM, SIB and displacement; false when `code` ends too early. */
bool take_operand(Cursor& cursor, Instruction& result, std::uint8_t& modrm) {
  if (!cursor.more()) return false;
  modrm = cursor.take();
  const int mode = modrm >> 6;
  const int base = modrm & 7;
  if (mode == 3) return true;
  std::size_t displacement = mode == 1 ? 1 : mode == 2 ? 4 : 0;
  if (base == 4) {
    if (!cursor.more()) return false;
    if ((cursor.take() & 7) == 5 && mode == 0) displacement = 4;
  } else if (base == 5 && mode == 0) {
    displacement = 4;
    result.relative_at = cursor.at();
    result.relative_size = 4;
  }
  if (!cursor.more(displacement)) return false;
  cursor.skip(displacement);
  return true;
}

Flow flow_of(Map map, std::uint8_t op, std::uint8_t modrm) {
  if (map == Map::two_byte) {
    if (op >= 0x80 && op <= 0x8f) return Flow::conditional;
    return op == 0x0b ? Flow::end : Flow::on;
  }
  if (map != Map::one_byte) return Flow::on;
  if (op >= 0x70 && op <= 0x7f) return Flow::conditional;
  switch (op) {
    case 0xe8:
      return Flow::call;
    case 0xe9:
    case 0xeb:
      return Flow::jump;
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
      return Flow::loop;
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcc:
    case 0xcf:
    case 0xf4:
      return Flow::end;
    case 0xff:
      return ((modrm >> 3) & 6) == 4 ? Flow::end : Flow::on;
    default:
      return Flow::on;
  }
}

/** VEX and EVEX: the bytes up to the opcode; false for what is not known. */
bool take_vector_prefix(Cursor& cursor, std::uint8_t first, Map& map) {
  const std::size_t bytes = first == 0xc5 ? 1 : first == 0xc4 ? 2 : 3;
  if (!cursor.more(bytes + 1)) return false;
  const int number = first == 0xc5 ? 1 : cursor.peek() & (first == 0x62 ? 7 : 31);
  if (number < 1 || number > 3) return false;
  map = number == 1 ? Map::two_byte : number == 2 ? Map::map_38 : Map::map_3a;
  cursor.skip(bytes);
  return true;
}

/** Legacy prefixes and REX; the first byte of the opcode is next. False when nothing follows. */
bool take_prefixes(Cursor& cursor, Prefixes& prefixes) {
  for (; cursor.more(); cursor.skip(1)) {
    const std::uint8_t byte = cursor.peek();
    if ((byte & 0xf0) == 0x40) {
      prefixes.rex_w = (byte & 8) != 0;
      continue;
    }
    const bool legacy = byte == 0x66 || byte == 0x67 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3 || byte == 0x2e ||
                        byte == 0x36 || byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65;
    if (!legacy) return true;
    prefixes.rex_w = false;  // a REX that something else follows is ignored by the processor
    prefixes.operand_size |= byte == 0x66;
    prefixes.address_size |= byte == 0x67;
  }
  return false;
}

}  // namespace

Instruction decode(std::span<const std::uint8_t> code) {
  Cursor cursor(code);
  Prefixes prefixes;
  if (!take_prefixes(cursor, prefixes)) return {};
  Map map = Map::one_byte;
  std::uint8_t op = cursor.take();
  bool vector = false;
  if (op == 0x0f) {
    if (!cursor.more()) return {};
    map = cursor.peek() == 0x38 ? Map::map_38 : cursor.peek() == 0x3a ? Map::map_3a : Map::two_byte;
    if (map != Map::two_byte) cursor.skip(1);
  } else if (op == 0xc4 || op == 0xc5 || op == 0x62) {
    vector = true;
    if (!take_vector_prefix(cursor, op, map)) return {};
  }
  if (map != Map::one_byte) {
    if (!cursor.more()) return {};
    op = cursor.take();
  }

  Shape shape;
  if (map == Map::one_byte) shape = shape_of_one_byte(op, prefixes);
  if (map == Map::two_byte) shape = shape_of_two_byte(op);
  if (map == Map::map_38) shape = {.modrm = true};
  if (map == Map::map_3a) shape = {.modrm = true, .immediate = 1};
  // In the vector maps everything but vzeroupper has a ModRM byte.
  if (vector && map == Map::two_byte && op != 0x77) {
    shape = {.modrm = true, .immediate = has_byte_in_two_byte_map(op) ? std::uint8_t{1} : std::uint8_t{0}};
  }
  if (shape.bad) return {};

  Instruction result;
  std::uint8_t modrm = 0;
  if (shape.modrm && !take_operand(cursor, result, modrm)) return {};
  if (map == Map::one_byte && op == 0x8f && (modrm & 0x38) != 0) return {};  // XOP
  if (map == Map::one_byte && (op == 0xf6 || op == 0xf7) && (modrm & 0x30) == 0) {
    shape.immediate = op == 0xf6 ? 1 : immediate_z(prefixes);
  }
  if (!cursor.more(shape.immediate)) return {};

  result.flow = vector ? Flow::on : flow_of(map, op, modrm);
  result.syscall = map == Map::two_byte && !vector && op == 0x05;
  const bool branch = result.flow != Flow::on && result.flow != Flow::end;
  if (branch) {
    result.relative_at = cursor.at();
    result.relative_size = shape.immediate;
    result.condition = op & 15;
  } else if (result.relative() && prefixes.address_size) {
    return {};  // EIP-relative: nobody writes it, and it cannot be moved far
  }
  cursor.skip(shape.immediate);
  result.length = cursor.at();
  return result;
}

std::uintptr_t target_of(const Instruction& instruction, const std::uint8_t* at) {
  const std::uintptr_t next = reinterpret_cast<std::uintptr_t>(at) + instruction.length;
  if (instruction.relative_size == 1) {
    return next + static_cast<std::uintptr_t>(static_cast<std::int8_t>(at[instruction.relative_at]));
  }
  std::int32_t distance = 0;
  std::memcpy(&distance, at + instruction.relative_at, sizeof distance);
  return next + static_cast<std::uintptr_t>(static_cast<std::intptr_t>(distance));
}

}  // namespace sockdoc::preload
