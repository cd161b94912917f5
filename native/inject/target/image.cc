#include "inject/target/image.h"

#include <elf.h>

#include <algorithm>
#include <functional>

namespace sockdoc::inject {
namespace {

constexpr unsigned kMostHeaders = 64;
constexpr std::size_t kMostDynamic = 512;
// What is read is the target's, which may be hostile: no object of the real world has more.
constexpr std::size_t kMostImages = 4096;
constexpr std::uint64_t kMostOfBucket = 1024;  // symbols of one hash
constexpr std::uint64_t kMostCode = 64 << 20;

std::uint32_t gnu_hash(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

/** The objects that begin in these mappings, until `visit` has enough. */
void each_image(const Memory& memory, const std::vector<Mapping>& maps, const std::function<bool(Image&)>& visit) {
  std::size_t images = 0;
  for (const Mapping& mapping : maps) {
    if (mapping.offset != 0 || !mapping.readable || mapping.path.empty() || mapping.path.front() == '[') continue;
    auto image = Image::at(memory, Address{mapping.begin});
    if (!image) continue;
    if (visit(*image) || ++images == kMostImages) return;
  }
}

}  // namespace

std::optional<Image> Image::at(const Memory& memory, Address base) {
  Image image(memory, base);
  if (!image.read_headers()) return std::nullopt;
  return image;
}

bool Image::read_headers() {
  const auto head = memory_.value<Elf64_Ehdr>(base_);
  if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64) return false;
  if (head->e_phentsize != sizeof(Elf64_Phdr) || head->e_phnum > kMostHeaders) return false;
  Elf64_Phdr headers[kMostHeaders];
  const std::size_t size = head->e_phnum * sizeof(Elf64_Phdr);
  if (memory_.read(base_ + head->e_phoff, headers, size) != size) return false;
  std::uint64_t first = ~std::uint64_t{0};
  const Elf64_Phdr* dynamic = nullptr;
  for (unsigned i = 0; i < head->e_phnum; i++) {
    if (headers[i].p_type == PT_LOAD) first = std::min(first, headers[i].p_vaddr & ~std::uint64_t{4095});
    if (headers[i].p_type == PT_DYNAMIC) dynamic = &headers[i];
  }
  if (dynamic == nullptr || first == ~std::uint64_t{0}) return false;
  bias_ = number(base_) - first;
  for (unsigned i = 0; i < head->e_phnum; i++) {
    const Elf64_Phdr& header = headers[i];
    if (header.p_type != PT_LOAD) continue;
    end_ = std::max(end_, bias_ + header.p_vaddr + header.p_memsz);
    if ((header.p_flags & PF_X) == 0) continue;
    text_ = bias_ + header.p_vaddr;
    text_end_ = text_ + header.p_memsz;
  }
  return read_dynamic(bias_ + dynamic->p_vaddr, dynamic->p_memsz);
}

/** The loader has put addresses in place of offsets, but not in all objects (the vDSO). */
Address Image::address(std::uint64_t of_pointer) const {
  return Address{of_pointer >= number(base_) && of_pointer < end_ ? of_pointer : bias_ + of_pointer};
}

bool Image::read_dynamic(std::uint64_t at, std::uint64_t size) {
  Elf64_Dyn entries[kMostDynamic];
  const std::size_t room = std::min<std::size_t>(size, sizeof entries);
  const std::size_t count = memory_.read(Address{at}, entries, room) / sizeof(Elf64_Dyn);
  std::uint64_t name = 0;
  bool named = false;
  for (std::size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
    const std::uint64_t value = entries[i].d_un.d_ptr;
    if (entries[i].d_tag == DT_SYMTAB) symbols_ = number(address(value));
    if (entries[i].d_tag == DT_STRTAB) strings_ = number(address(value));
    if (entries[i].d_tag == DT_GNU_HASH) hash_ = number(address(value));
    if (entries[i].d_tag == DT_SONAME) name = value, named = true;
  }
  if (named && strings_ != 0) soname_ = memory_.text(Address{strings_ + name});
  return symbols_ != 0 && strings_ != 0;
}

std::optional<Address> Image::symbol(std::string_view name) const {
  std::uint32_t head[4];  // buckets, first symbol, words of the Bloom filter, its shift
  if (hash_ == 0 || memory_.read(Address{hash_}, head, sizeof head) != sizeof head || head[0] == 0) return std::nullopt;
  const std::uint32_t wanted = gnu_hash(name);
  const std::uint64_t buckets = hash_ + sizeof head + head[2] * sizeof(std::uint64_t);
  const std::uint64_t chain = buckets + head[0] * sizeof(std::uint32_t);
  auto index = memory_.value<std::uint32_t>(Address{buckets + wanted % head[0] * sizeof(std::uint32_t)});
  if (!index || *index < head[1]) return std::nullopt;
  for (std::uint64_t i = *index; i < *index + kMostOfBucket; i++) {
    const auto hash = memory_.value<std::uint32_t>(Address{chain + (i - head[1]) * sizeof(std::uint32_t)});
    if (!hash) return std::nullopt;
    if ((*hash | 1) == (wanted | 1)) {
      const auto symbol = memory_.value<Elf64_Sym>(Address{symbols_ + i * sizeof(Elf64_Sym)});
      if (!symbol) return std::nullopt;
      if (symbol->st_shndx != SHN_UNDEF && memory_.text(Address{strings_ + symbol->st_name}) == name) {
        return Address{bias_ + symbol->st_value};
      }
    }
    if ((*hash & 1) != 0) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Address> Image::code(std::string_view bytes) const {
  std::string text(std::min(text_end_ - text_, kMostCode), '\0');
  text.resize(memory_.read(Address{text_}, text.data(), text.size()));
  const std::size_t at = text.find(bytes);
  if (at == std::string::npos) return std::nullopt;
  return Address{text_ + at};
}

std::optional<Image> find_library(const Memory& memory, const std::vector<Mapping>& maps, std::string_view soname) {
  std::optional<Image> found;
  each_image(memory, maps, [&](Image& image) {
    if (image.soname() == soname) found = image;
    return found.has_value();
  });
  return found;
}

std::vector<Image> exporting(const Memory& memory, const std::vector<Mapping>& maps, std::string_view symbol) {
  std::vector<Image> found;
  each_image(memory, maps, [&](Image& image) {
    if (image.symbol(symbol)) found.push_back(image);
    return false;
  });
  return found;
}

}  // namespace sockdoc::inject
