#include "inject/process/epoll_sets.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>

#include "base/procfs.h"
#include "inject/process/facts.h"
#include "probes/bpf/kernel.h"

namespace sockdoc::inject {
namespace {

using bpf::Assembler;
using bpf::FileIterator;
using bpf::If;
using bpf::Reg;
using bpf::Size;

/** What the program writes of a descriptor. */
struct Counted {
  std::uint64_t file;
  std::uint64_t kind;        // the address of its operations: the same of all epoll sets
  std::uint64_t references;  // above base_
  std::uint64_t watched;     // not 0: a member of some epoll set
  std::uint32_t number;
  std::uint32_t thread;   // in whose table it is,
  std::uint32_t process;  // and of which process that is
  std::uint32_t users;    // of that table
  std::uint32_t threads;  // of that process
  std::uint32_t unused;

  /** All threads of the process use this table, and nobody else does. */
  [[nodiscard]] bool tables_process() const { return thread == process && users == threads; }
};
static_assert(sizeof(Counted) == 56);

/** Where the kernel has all that; nothing for a kernel that has it otherwise. */
struct Places {
  std::uint32_t operations, references, watched;  // of struct file
  std::uint32_t thread, process, files, signal;   // of struct task_struct
  std::uint32_t users;                            // of struct files_struct
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
                           .thread = at("task_struct", "pid", 4),
                           .process = at("task_struct", "tgid", 4),
                           .files = at("task_struct", "files", 8),
                           .signal = at("task_struct", "signal", 8),
                           .users = at("files_struct", "count", 4),
                           .threads = at("signal_struct", "nr_threads", 4)};
    return all ? std::optional(places) : std::nullopt;
  }
};

/** Writes a Counted of each file of the kind that `kind` holds; of all where that is 0. */
Assembler program(const Places& places, const bpf::Map& kind) {
  constexpr int kRecord = -static_cast<int>(sizeof(Counted));
  Assembler a;
  const auto end = a.label();
  const auto wanted = a.label();
  const auto tell = [&](Size size, Reg base, std::uint32_t from, std::size_t to) {
    a.load(size, Reg::r1, base, static_cast<int>(from));
    a.store(size, Reg::r10, kRecord + static_cast<int>(to), Reg::r1);
  };
  a.move(Reg::r6, Reg::r1);
  a.load(Size::u64, Reg::r7, Reg::r6, FileIterator::kFile);
  a.load(Size::u64, Reg::r8, Reg::r6, FileIterator::kTask);
  a.jump_if(If::equal, Reg::r7, 0, end);
  a.jump_if(If::equal, Reg::r8, 0, end);
  a.load(Size::u64, Reg::r1, Reg::r7, static_cast<int>(places.operations));
  a.load_map_value(Reg::r2, kind, 0);
  a.load(Size::u64, Reg::r2, Reg::r2, 0);
  a.jump_if(If::equal, Reg::r2, 0, wanted);
  a.jump_if(If::not_equal, Reg::r1, Reg::r2, end);
  a.bind(wanted);
  a.store(Size::u64, Reg::r10, kRecord + static_cast<int>(offsetof(Counted, file)), Reg::r7);
  a.store(Size::u64, Reg::r10, kRecord + static_cast<int>(offsetof(Counted, kind)), Reg::r1);
  tell(Size::u64, Reg::r7, places.references, offsetof(Counted, references));
  tell(Size::u64, Reg::r7, places.watched, offsetof(Counted, watched));
  tell(Size::u32, Reg::r6, FileIterator::kNumber, offsetof(Counted, number));
  tell(Size::u32, Reg::r8, places.thread, offsetof(Counted, thread));
  tell(Size::u32, Reg::r8, places.process, offsetof(Counted, process));
  a.load(Size::u64, Reg::r9, Reg::r8, static_cast<int>(places.files));
  tell(Size::u32, Reg::r9, places.users, offsetof(Counted, users));
  a.load(Size::u64, Reg::r9, Reg::r8, static_cast<int>(places.signal));
  tell(Size::u32, Reg::r9, places.threads, offsetof(Counted, threads));
  a.store(Size::u32, Reg::r10, kRecord + static_cast<int>(offsetof(Counted, unused)), 0);
  a.load(Size::u64, Reg::r1, Reg::r6, FileIterator::kMeta);
  a.load(Size::u64, Reg::r1, Reg::r1, FileIterator::kSequence);
  a.move(Reg::r2, Reg::r10);
  a.alu(bpf::Alu::add, Reg::r2, kRecord);
  a.move(Reg::r3, static_cast<std::int32_t>(sizeof(Counted)));
  a.call(BPF_FUNC_seq_write);
  a.bind(end);
  a.move(Reg::r0, 0);
  a.exit();
  return a;
}

Result<std::vector<Counted>> run(const Fd& link) {
  const auto written = FileIterator::run(link);
  if (!written) return written.error();
  std::vector<Counted> counted(written->size() / sizeof(Counted));
  std::memcpy(counted.data(), written->data(), counted.size() * sizeof(Counted));
  return counted;
}

bool has_sets(pid_t pid) {
  FolderReader descriptors(AT_FDCWD, (process_folder(pid) + "/fd").c_str());
  bool found = false;
  char target[64];
  (void)(descriptors.valid() && descriptors.for_each_number([&](const char* name, int) {
    found = found || read_link(descriptors.fd(), name, target) == "anon_inode:[eventpoll]";
  }));
  return found;
}

}  // namespace

void EpollSetsCounter::prepare(pid_t pid) {
  if (link_ || !has_sets(pid)) return;
  link_.emplace([&]() -> Result<Fd> {
    const auto files = load();
    if (!files) return files.error();
    if (const Status known = calibrate(*files); !known) return known.error();
    return files->link_to(pid);
  }());
}

Result<bpf::FileIterator> EpollSetsCounter::load() {
  auto kind = bpf::Map::create({.type = BPF_MAP_TYPE_ARRAY,
                                .key_bytes = sizeof(std::uint32_t),
                                .value_bytes = sizeof(std::uint64_t),
                                .max_entries = 1,
                                .name = "sockdoc_kind"});
  if (!kind) return kind.error();  // before the types are read: most who may not do this have no use for them
  const auto btf = kernel_btf();
  if (!btf) return btf.error();
  const auto places = Places::of(**btf);
  if (!places) return Error{ENOENT, "references of a file"};
  kind_.emplace(std::move(*kind));
  return FileIterator::load(program(*places, *kind_));
}

/** How this kernel counts, what it adds while it looks, and what an epoll set is: of two of our own. */
Status EpollSetsCounter::calibrate(const bpf::FileIterator& files) {
  const Fd one(::epoll_create1(EPOLL_CLOEXEC));
  const Fd two(::epoll_create1(EPOLL_CLOEXEC));
  const Fd copy(::fcntl(two.get(), F_DUPFD_CLOEXEC, 0));
  epoll_event event{};
  if (!copy.valid() || ::epoll_ctl(one.get(), EPOLL_CTL_ADD, two.get(), &event) != 0) return errno_error("epoll set");
  const auto link = files.link_to(::getpid());
  if (!link) return link.error();
  const auto counted = run(*link);
  if (!counted) return counted.error();
  const auto of = [&](const Fd& fd) {
    for (const Counted& file : *counted) {
      if (file.number == static_cast<std::uint32_t>(fd.get())) return file;
    }
    return Counted{};
  };
  const bool as_expected = of(one).file != 0 && of(two).file == of(copy).file && of(one).kind == of(two).kind &&
                           of(one).references + 1 == of(two).references && of(one).watched == 0 &&
                           of(two).watched != 0 && of(one).tables_process() && of(two).tables_process();
  if (!as_expected) return Error{EBADMSG, "references of our own epoll sets"};
  base_ = of(one).references - 1;
  return kind_->put(std::uint32_t{0}, of(one).kind);
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
  for (const Counted& file : *counted) by_file[file.file].push_back(file);
  sets.count = by_file.size();
  for (const auto& [file, numbers] : by_file) {
    const bool own = std::ranges::all_of(numbers, [&](const Counted& one) {
      return one.references - base_ == numbers.size() && one.watched == 0 && one.tables_process();
    });
    if (!own) continue;
    sets.own.emplace_back();
    for (const Counted& one : numbers) sets.own.back().push_back(static_cast<std::int32_t>(one.number));
  }
  return sets;
}

}  // namespace sockdoc::inject
