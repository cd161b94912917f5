#include "inject/process/epoll_sets.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <span>

#include "base/procfs.h"
#include "inject/process/facts.h"
#include "probes/bpf/kernel.h"

namespace sockdoc::inject {
namespace {

using bpf::Assembler;
using bpf::If;
using bpf::Reg;
using bpf::Size;
using bpf::TaskIterator;

/** What the program is asked, by the one value of its map: of numbers in rising order. */
struct Asked {
  static constexpr int kMost = 64;
  std::uint32_t after_number[kMost] = {};  // one more than each; the first 0 ends them
};

/** What it writes of a number. */
struct Counted {
  std::uint64_t file;
  std::uint64_t kind;        // the address of its operations: the same of all epoll sets
  std::uint64_t references;  // above base_
  std::uint64_t watched;     // not 0: a member of some epoll set
  std::uint32_t number;
  std::uint32_t users;    // of the table that has it
  std::uint32_t threads;  // of the process
  std::uint32_t unused;

  /** All threads of the process use this table, and nobody else does. */
  [[nodiscard]] bool tables_process() const { return users == threads; }
};
static_assert(sizeof(Counted) == 48);

/** Where the kernel has all that; nothing for a kernel that has it otherwise. */
struct Places {
  std::uint32_t operations, references, watched;  // of struct file
  std::uint32_t files, signal;                    // of struct task_struct
  std::uint32_t users, table;                     // of struct files_struct
  std::uint32_t limit, numbers;                   // of struct fdtable
  std::uint32_t threads;                          // of struct signal_struct

  static std::optional<Places> of(const Btf& btf) {
    bool all = true;
    const auto at = [&](const char* name, const char* path, std::uint32_t bytes) {
      const auto member = btf.member(name, path);
      all = all && member && member->bytes == bytes;
      return member ? member->offset : 0;
    };
    const char* references = btf.member("file", "f_ref") ? "f_ref" : "f_count";  // Linux 6.13
    const Places places = {.operations = at("file", "f_op", 8),
                           .references = at("file", references, 8),
                           .watched = at("file", "f_ep", 8),
                           .files = at("task_struct", "files", 8),
                           .signal = at("task_struct", "signal", 8),
                           .users = at("files_struct", "count", 4),
                           .table = at("files_struct", "fdt", 8),
                           .limit = at("fdtable", "max_fds", 4),
                           .numbers = at("fdtable", "fd", 8),
                           .threads = at("signal_struct", "nr_threads", 4)};
    return all ? std::optional(places) : std::nullopt;
  }
};

/** Writes a Counted for each number that is asked about, whatever it means by now. */
class Program {
 public:
  Program(const Places& places, const bpf::Map& asked) : places_(places), asked_(asked) {}

  Assembler assemble() {
    a_.move(Reg::r6, Reg::r1);
    load(Reg::r1, Reg::r6, TaskIterator::kTask);
    a_.jump_if(If::equal, Reg::r1, 0, end_);
    load(Reg::r2, Reg::r1, places_.signal);
    keep(Size::u32, Reg::r2, places_.threads, at(offsetof(Counted, threads)));
    load(Reg::r2, Reg::r1, places_.files);
    keep(Size::u32, Reg::r2, places_.users, at(offsetof(Counted, users)));
    load(Reg::r2, Reg::r2, places_.table);
    keep(Size::u32, Reg::r2, places_.limit, kLimit);
    load(Reg::r7, Reg::r2, places_.numbers);
    a_.store(Size::u32, Reg::r10, at(offsetof(Counted, unused)), 0);
    for (int i = 0; i < Asked::kMost; i++) tell_of_number(i);
    a_.bind(end_);
    a_.move(Reg::r0, 0);
    a_.exit();
    return a_;
  }

 private:
  // Below it what it writes, which is made in place.
  static constexpr int kLimit = -8;
  static constexpr int at(std::size_t member) { return kLimit - static_cast<int>(sizeof(Counted) - member); }

  void load(Reg to, Reg base, std::uint32_t from) { a_.load(Size::u64, to, base, static_cast<int>(from)); }
  void keep(Size size, Reg base, std::uint32_t from, int to) {
    a_.load(size, Reg::r3, base, static_cast<int>(from));
    a_.store(size, Reg::r10, to, Reg::r3);
  }
  void read_of_file(std::uint32_t from, std::size_t to) {
    a_.load(Size::u64, Reg::r1, Reg::r10, at(offsetof(Counted, file)));
    a_.read_kernel(at(to), sizeof(std::uint64_t), Reg::r1, static_cast<int>(from));
  }

  /** Without a branch that comes back: the kernel would follow both ways of each to see that it ends, for 80 ms. */
  void tell_of_number(int index) {
    a_.load_map_value(Reg::r1, asked_, 0);
    a_.load(Size::u32, Reg::r1, Reg::r1, index * static_cast<int>(sizeof(std::uint32_t)));
    a_.jump_if(If::equal, Reg::r1, 0, end_);
    a_.alu(bpf::Alu::sub, Reg::r1, 1);
    a_.store(Size::u32, Reg::r10, at(offsetof(Counted, number)), Reg::r1);
    a_.load(Size::u32, Reg::r2, Reg::r10, kLimit);
    a_.jump_if(If::at_least, Reg::r1, Reg::r2, end_);
    a_.alu(bpf::Alu::mul, Reg::r1, sizeof(std::uint64_t));
    a_.alu(bpf::Alu::add, Reg::r1, Reg::r7);
    a_.read_kernel(at(offsetof(Counted, file)), sizeof(std::uint64_t), Reg::r1, 0);
    read_of_file(places_.operations, offsetof(Counted, kind));
    read_of_file(places_.references, offsetof(Counted, references));
    read_of_file(places_.watched, offsetof(Counted, watched));
    load(Reg::r1, Reg::r6, TaskIterator::kMeta);
    load(Reg::r1, Reg::r1, TaskIterator::kSequence);
    a_.move(Reg::r2, Reg::r10);
    a_.alu(bpf::Alu::add, Reg::r2, at(0));
    a_.move(Reg::r3, static_cast<std::int32_t>(sizeof(Counted)));
    a_.call(BPF_FUNC_seq_write);
  }

  Places places_;
  const bpf::Map& asked_;
  Assembler a_;
  Assembler::Label end_ = a_.label();
};

Result<std::vector<Counted>> run(const Fd& link) {
  const auto written = TaskIterator::run(link);
  if (!written) return written.error();
  std::vector<Counted> counted(written->size() / sizeof(Counted));
  std::memcpy(counted.data(), written->data(), counted.size() * sizeof(Counted));
  return counted;
}

/** What is beyond the first of them is not asked about: a set with only some of its numbers counts as another's too. */
Asked about(std::span<const int> numbers) {
  Asked asked;
  const std::size_t count = std::min<std::size_t>(numbers.size(), Asked::kMost);
  for (std::size_t i = 0; i < count; i++) asked.after_number[i] = static_cast<std::uint32_t>(numbers[i]) + 1;
  return asked;
}

std::vector<int> numbers_of_sets(pid_t pid) {
  FolderReader descriptors(AT_FDCWD, (process_folder(pid) + "/fd").c_str());
  std::vector<int> numbers;
  char target[64];
  (void)(descriptors.valid() && descriptors.for_each_number([&](const char* name, int number) {
    if (read_link(descriptors.fd(), name, target) == "anon_inode:[eventpoll]") numbers.push_back(number);
  }));
  std::ranges::sort(numbers);
  return numbers;
}

/**
 * Whether each of so many threads has the table of the first one: as many users as threads may also be one who has a
 * table of his own, and one of another process.
 */
bool all_have_one_table(pid_t pid, std::uint32_t threads) {
  FolderReader tasks(AT_FDCWD, (process_folder(pid) + "/task").c_str());
  std::uint32_t same = 0;
  (void)(tasks.valid() && tasks.for_each_number([&](const char*, int thread) {
    if (::syscall(SYS_kcmp, pid, thread, KCMP_FILES, 0, 0) == 0) same++;
  }));
  return same == threads;
}

}  // namespace

void EpollSetsCounter::prepare(pid_t pid) {
  const std::vector<int> numbers = link_ ? std::vector<int>() : numbers_of_sets(pid);
  if (numbers.empty()) return;
  pid_ = pid;
  link_.emplace([&]() -> Result<Fd> {
    const auto iterator = load();
    if (!iterator) return iterator.error();
    if (const Status known = calibrate(*iterator, numbers); !known) return known.error();
    return iterator->link_to(pid);
  }());
}

Result<bpf::TaskIterator> EpollSetsCounter::load() {
  auto asked = bpf::Map::create({.type = BPF_MAP_TYPE_ARRAY,
                                 .key_bytes = sizeof(std::uint32_t),
                                 .value_bytes = sizeof(Asked),
                                 .max_entries = 1,
                                 .name = "sockdoc_asked"});
  if (!asked) return asked.error();  // before the types are read: most who may not do this have no use for them
  const auto btf = kernel_btf();
  if (!btf) return btf.error();
  const auto places = Places::of(**btf);
  if (!places) return Error{ENOENT, "references of a file"};
  asked_.emplace(std::move(*asked));
  return TaskIterator::load(Program(*places, *asked_).assemble());
}

/** How this kernel counts, and what an epoll set is: of two of our own. Then `numbers` are asked about. */
Status EpollSetsCounter::calibrate(const bpf::TaskIterator& iterator, std::span<const int> numbers) {
  const Fd one(::epoll_create1(EPOLL_CLOEXEC));
  const Fd two(::epoll_create1(EPOLL_CLOEXEC));
  const Fd copy(::fcntl(two.get(), F_DUPFD_CLOEXEC, 0));
  epoll_event event{};
  if (!copy.valid() || ::epoll_ctl(one.get(), EPOLL_CTL_ADD, two.get(), &event) != 0) return errno_error("epoll set");
  const int ours[] = {one.get(), two.get(), copy.get()};  // the lowest that are free: they rise
  if (const Status put = asked_->put(std::uint32_t{0}, about(ours)); !put) return put;
  const auto link = iterator.link_to(::getpid());
  if (!link) return link.error();
  const auto counted = run(*link);
  if (!counted) return counted.error();
  if (counted->size() != std::size(ours)) return Error{EBADMSG, "our own epoll sets"};
  const Counted &alone = (*counted)[0], &inner = (*counted)[1], &same = (*counted)[2];
  const bool as_expected = alone.file != 0 && alone.file != inner.file && inner.file == same.file &&
                           alone.kind == inner.kind && alone.references + 1 == inner.references && alone.watched == 0 &&
                           inner.watched != 0 && alone.tables_process() && inner.tables_process();
  if (!as_expected) return Error{EBADMSG, "references of our own epoll sets"};
  base_ = alone.references - 1;
  kind_ = alone.kind;
  return asked_->put(std::uint32_t{0}, about(numbers));
}

std::optional<EpollSets> EpollSetsCounter::count() const {
  if (!link_) return std::nullopt;
  EpollSets sets;
  const auto counted = link_->ok() ? run(**link_) : Result<std::vector<Counted>>(link_->error());
  if (!counted) {
    sets.unclear = counted.error().message();
    return sets;
  }
  std::map<std::uint64_t, std::vector<Counted>> by_file;
  for (const Counted& file : *counted) {
    if (file.kind == kind_) by_file[file.file].push_back(file);
  }
  sets.count = by_file.size();
  for (const auto& [file, numbers] : by_file) {
    const bool own = std::ranges::all_of(numbers, [&](const Counted& one) {
      return one.references - base_ == numbers.size() && one.watched == 0 && one.tables_process();
    });
    if (!own) continue;
    sets.own.emplace_back();
    for (const Counted& one : numbers) sets.own.back().push_back(static_cast<std::int32_t>(one.number));
  }
  if (!sets.own.empty() && !all_have_one_table(pid_, counted->front().threads)) sets.own.clear();
  std::ranges::sort(sets.own);
  return sets;
}

}  // namespace sockdoc::inject
