#include "preload/patch/image.h"

#include <cstring>

namespace sockdoc::preload {
namespace {

std::uint32_t gnu_hash(const char* name) {
  std::uint32_t hash = 5381;
  for (; *name != 0; name++) hash = hash * 33 + static_cast<unsigned char>(*name);
  return hash;
}

struct Search {
  const char* soname;
  const char* symbol;
  std::uintptr_t not_at;
  Image found;
};

int visit(dl_phdr_info* info, std::size_t, void* argument) {
  auto* search = static_cast<Search*>(argument);
  const Image image = Image::of(info->dlpi_addr, {info->dlpi_phdr, info->dlpi_phnum});
  if (!image.valid()) return 0;
  const std::span<const std::uint8_t> text = image.text();
  const bool excluded = search->not_at - reinterpret_cast<std::uintptr_t>(text.data()) < text.size();
  const bool wanted = search->soname != nullptr ? std::strcmp(image.soname(), search->soname) == 0
                                                : !excluded && image.symbol(search->symbol) != nullptr;
  if (!wanted) return 0;
  search->found = image;
  return 1;
}

}  // namespace

Image Image::of_library(const char* soname) {
  Search search{soname, nullptr, 0, {}};
  dl_iterate_phdr(visit, &search);
  return search.found;
}

Image Image::that_exports(const char* name, const void* not_at) {
  Search search{nullptr, name, reinterpret_cast<std::uintptr_t>(not_at), {}};
  dl_iterate_phdr(visit, &search);
  return search.found;
}

Image Image::of(std::uintptr_t base, std::span<const ElfW(Phdr)> headers) {
  Image image;
  image.base_ = base;
  const ElfW(Dyn)* dynamic = nullptr;
  for (const ElfW(Phdr) & header : headers) {
    const std::uintptr_t at = base + header.p_vaddr;
    if (header.p_type == PT_DYNAMIC) dynamic = reinterpret_cast<const ElfW(Dyn)*>(at);
    if (header.p_type != PT_LOAD) continue;
    if (at + header.p_memsz > image.end_) image.end_ = at + header.p_memsz;
    if ((header.p_flags & PF_X) != 0 && image.text_.empty()) {
      image.text_ = {reinterpret_cast<const std::uint8_t*>(at), header.p_memsz};
    }
  }
  if (dynamic == nullptr) return image;
  std::size_t soname = 0;
  for (; dynamic->d_tag != DT_NULL; dynamic++) {
    const std::uintptr_t at = image.address(dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_SYMTAB) image.symbols_ = reinterpret_cast<const ElfW(Sym)*>(at);
    if (dynamic->d_tag == DT_STRTAB) image.strings_ = reinterpret_cast<const char*>(at);
    if (dynamic->d_tag == DT_GNU_HASH) image.hash_ = reinterpret_cast<const std::uint32_t*>(at);
    if (dynamic->d_tag == DT_SONAME) soname = dynamic->d_un.d_val;
  }
  if (image.strings_ == nullptr || image.hash_ == nullptr) image.symbols_ = nullptr;
  if (image.valid() && soname != 0) image.soname_ = image.strings_ + soname;
  return image;
}

/** glibc relocates the pointers of most objects' dynamic sections in place, and leaves the vDSO's and musl's alone. */
std::uintptr_t Image::address(ElfW(Addr) of_pointer) const {
  return of_pointer >= base_ && of_pointer < end_ ? of_pointer : base_ + of_pointer;
}

const ElfW(Sym) * Image::lookup(const char* name, int nth) const {
  const std::uint32_t buckets = hash_[0];
  const std::uint32_t first = hash_[1];
  const std::uint32_t bloom_words = hash_[2];
  const std::uint32_t* bucket = hash_ + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(std::uint32_t));
  const std::uint32_t* chain = bucket + buckets;
  const std::uint32_t wanted = gnu_hash(name);
  if (buckets == 0) return nullptr;
  std::uint32_t index = bucket[wanted % buckets];
  if (index < first) return nullptr;
  for (;; index++) {
    const std::uint32_t hash = chain[index - first];
    const ElfW(Sym)& symbol = symbols_[index];
    const bool same =
        (hash | 1) == (wanted | 1) && symbol.st_shndx != SHN_UNDEF && std::strcmp(strings_ + symbol.st_name, name) == 0;
    if (same && nth-- == 0) return &symbol;
    if ((hash & 1) != 0) return nullptr;
  }
}

Function Image::function(const char* name, int nth) const {
  const ElfW(Sym)* symbol = lookup(name, nth);
  if (symbol == nullptr || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC) return {};
  return {reinterpret_cast<const std::uint8_t*>(base_ + symbol->st_value), symbol->st_size};
}

const void* Image::symbol(const char* name) const {
  const ElfW(Sym)* symbol = lookup(name, 0);
  return symbol == nullptr ? nullptr : reinterpret_cast<const void*>(base_ + symbol->st_value);
}

}  // namespace sockdoc::preload
