#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "probes/bpf/assembler.h"

namespace sockdoc::bpf {

/**
 * A program that the kernel runs for each open file of one process (bpf_iter/task_file, limited to a process since
 * Linux 6.1). It finds in its context a task in whose table the file is, its number there and the file, both null at
 * the end, and writes what is to be told.
 */
class FileIterator {
 public:
  // In the context: struct bpf_iter__task_file, and in struct bpf_iter_meta that it begins with.
  static constexpr int kMeta = 0;
  static constexpr int kTask = 8;
  static constexpr int kNumber = 16;
  static constexpr int kFile = 24;
  static constexpr int kSequence = 0;

  /** EPERM without CAP_BPF and CAP_PERFMON, ENOENT on kernels without BTF. */
  static Result<FileIterator> load(const Assembler& assembler);

  /** The same program for one process: begun ahead, since it takes longer than to read few files. */
  [[nodiscard]] Result<Fd> link_to(pid_t pid) const;
  /** What it writes now, of all files. */
  static Result<std::vector<std::byte>> run(const Fd& link);

 private:
  explicit FileIterator(Fd program) : program_(std::move(program)) {}
  Fd program_;
};

}  // namespace sockdoc::bpf
