#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/unread.h"
#include "preload/table/own.h"

namespace sockdoc::preload {

/**
 * Bytes of a connection that this process had not read from its ring when somebody else got the socket. They come
 * before all that the kernel's socket holds. The memory is shared by whoever has the socket then: children have the
 * mapping, programs that were executed find its memfd. So each byte is read once, by whoever comes first, as it is with
 * the kernel's.
 *
 * The others may write what they want into it, as they may read and close the socket itself: sizes are this process's
 * own copy, indexes are checked. Bytes are taken by one compare-and-swap, which a death or a signal in the middle does
 * not harm.
 */
class UnreadBytes {  // all zero: there are none
 public:
  /** Memory for `bytes` of the socket `cookie`. False without. The descriptor has close-on-exec, or there is none: then
   * programs that are executed do not get them. */
  [[nodiscard]] bool make(std::uint64_t cookie, std::size_t bytes,
                          OwnDescriptors::For how_long = OwnDescriptors::For::long_while);
  /** Where make() wants the bytes, and how many came. */
  [[nodiscard]] std::span<std::byte> room() const { return {data(), size_}; }
  void made(std::size_t bytes);

  /** What a descriptor that was inherited holds; false when it is none of ours. The descriptor stays the caller's. */
  [[nodiscard]] bool open(int fd);
  /** After open(): with a descriptor, for programs to come. */
  void have(int fd) { file_.take(fd); }
  [[nodiscard]] static bool is_ours(int fd);
  [[nodiscard]] std::uint64_t cookie() const;

  [[nodiscard]] std::size_t left() const;
  /** Bytes, or an error behind them. */
  [[nodiscard]] bool any() const;
  /** Copies what is there for `parts` and takes it, unless `peek`; without `written` nothing is copied. */
  [[nodiscard]] std::size_t take(std::span<const iovec> parts, bool peek, bool written) const;
  /**
   * From now on nobody takes a byte, of all who share the memory. False: there is none, or another has it frozen.
   * copy() says what is there; `all` of thaw(): it was taken.
   */
  [[nodiscard]] bool freeze() const;
  /** The same, once nobody else has it frozen, or until `deadline` (coarse_ms()). */
  enum class Frozen { by_us, by_another, nothing };
  [[nodiscard]] Frozen freeze_until(std::uint64_t deadline) const;
  [[nodiscard]] bool frozen() const;
  [[nodiscard]] std::size_t copy(std::span<std::byte> into) const;
  void thaw(bool all) const;

  /** For those who share the memory: the connection was reset. Asked once. */
  void tell_reset() const;
  [[nodiscard]] bool was_reset() const;

  /** What the kernel has told while bytes that came before it were set aside: once; 0: nothing. */
  [[nodiscard]] int error() const;
  void tell(int error) const;

  /**
   * For who lets the monitor give them back to the kernel: says so, asks how far it is, and takes it back. False: it
   * has begun. Nobody takes bytes meanwhile.
   */
  void begin_return() const;
  [[nodiscard]] abi::Returning returning() const { return head_.load()->returning.load(std::memory_order_acquire); }
  [[nodiscard]] bool cancel_return() const;
  [[nodiscard]] std::size_t returned() const;

  /** The memory's descriptor in the calling process, -1 when it has none. */
  [[nodiscard]] int fd() const { return file_.number(); }

  /** Lets go of the memory, a little later: another thread may be looking at it. */
  void drop();
  /** The same at once, of memory that nobody else has seen. */
  void discard();

 private:
  using Head = abi::UnreadHead;

  [[nodiscard]] std::byte* data() const;

  std::atomic<Head*> head_{nullptr};
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
  OwnDescriptor file_;
};

}  // namespace sockdoc::preload
