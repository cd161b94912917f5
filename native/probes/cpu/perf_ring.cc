#include "probes/cpu/perf_ring.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace sockdoc {
namespace {

// 256 KiB: some 3 seconds of samples of 400 bytes at 199 per second.
constexpr std::size_t kPages = 64;

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t data_bytes() { return kPages * page_bytes(); }

perf_event_attr sampling(unsigned hertz) {
  perf_event_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.type = PERF_TYPE_SOFTWARE;
  attr.size = sizeof attr;
  attr.config = PERF_COUNT_SW_CPU_CLOCK;
  attr.freq = 1;
  attr.sample_freq = hertz;
  attr.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN;
  attr.exclude_idle = 1;
  attr.exclude_callchain_user = 1;
  attr.watermark = 1;
  attr.wakeup_watermark = static_cast<__u32>(data_bytes() / 2);
  return attr;
}

}  // namespace

bool parse_cpu_sample(std::span<const std::uint64_t> words, CpuSample& sample) {
  if (words.size() < 2) return false;
  std::uint32_t ids[2];
  std::memcpy(ids, words.data(), sizeof ids);
  const std::uint64_t length = words[1];
  if (length > words.size() - 2) return false;
  sample = {ids[0], ids[1], words.subspan(2, length)};
  return true;
}

Result<PerfRing> PerfRing::open(int cpu, unsigned hertz) {
  perf_event_attr attr = sampling(hertz);
  Fd fd(static_cast<int>(::syscall(__NR_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!fd.valid()) return errno_error("perf_event_open(2)");
  void* memory = ::mmap(nullptr, page_bytes() + data_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return errno_error("memory of perf_event_open(2)");
  return PerfRing(std::move(fd), memory);
}

PerfRing::PerfRing(PerfRing&& other) noexcept
    : fd_(std::move(other.fd_)), memory_(std::exchange(other.memory_, nullptr)), record_(std::move(other.record_)) {}

PerfRing::~PerfRing() {
  if (memory_ != nullptr) ::munmap(memory_, page_bytes() + data_bytes());
}

std::uint64_t PerfRing::drain(const std::function<void(const CpuSample&)>& take) {
  auto* control = static_cast<perf_event_mmap_page*>(memory_);
  const char* data = static_cast<const char*>(memory_) + page_bytes();
  const std::size_t mask = data_bytes() - 1;
  // The kernel writes data_head, we write data_tail; each reads the other's (perf_event_open(2), "data_head").
  const std::uint64_t head = std::atomic_ref(control->data_head).load(std::memory_order_acquire);
  std::uint64_t tail = control->data_tail;
  std::uint64_t lost = 0;
  while (tail < head) {
    perf_event_header header;  // records are aligned to 8 bytes: a header never wraps
    std::memcpy(&header, data + (tail & mask), sizeof header);
    if (header.size < sizeof header || header.size % sizeof(std::uint64_t) != 0 || header.size > head - tail) break;
    record_.resize(header.size / sizeof(std::uint64_t));
    const std::size_t until_end = std::min<std::size_t>(header.size, data_bytes() - (tail & mask));
    std::memcpy(record_.data(), data + (tail & mask), until_end);
    std::memcpy(reinterpret_cast<char*>(record_.data()) + until_end, data, header.size - until_end);
    const std::span<const std::uint64_t> words(record_.data() + 1, record_.size() - 1);
    if (CpuSample sample; header.type == PERF_RECORD_SAMPLE && parse_cpu_sample(words, sample)) take(sample);
    if (header.type == PERF_RECORD_LOST && words.size() >= 2) lost += words[1];
    tail += header.size;
  }
  std::atomic_ref(control->data_tail).store(head, std::memory_order_release);
  return lost;
}

}  // namespace sockdoc
