#include "probes/bpf/task_iterator.h"

#include <linux/btf.h>
#include <unistd.h>

#include "probes/bpf/kernel.h"
#include "probes/bpf/program.h"
#include "probes/bpf/system_call.h"

namespace sockdoc::bpf {

Result<TaskIterator> TaskIterator::load(const Assembler& assembler) {
  const auto btf = kernel_btf();
  if (!btf) return btf.error();
  const auto function = (*btf)->id("bpf_iter_task", BTF_KIND_FUNC);
  if (!function) return Error{ENOENT, "bpf_iter_task"};
  ProgramSpec spec;
  spec.name = "sockdoc_task";
  spec.license = kGplCompatible;
  spec.type = BPF_PROG_TYPE_TRACING;
  spec.attach_type = BPF_TRACE_ITER;
  spec.attach_btf_id = *function;
  auto program = bpf::load(spec, assembler);
  if (!program) return program.error();
  return TaskIterator(std::move(*program));
}

Result<Fd> TaskIterator::link_to(pid_t thread) const {
  const struct {  // union bpf_iter_link_info, which older headers have without threads
    std::uint32_t thread, process, pidfd;
  } only = {static_cast<std::uint32_t>(thread), 0, 0};
  bpf_attr attr = empty_attr();
  attr.link_create.prog_fd = static_cast<__u32>(program_.get());
  attr.link_create.attach_type = BPF_TRACE_ITER;
  attr.link_create.iter_info = pointer(&only);
  attr.link_create.iter_info_len = sizeof only;
  Fd link(static_cast<int>(system_call(BPF_LINK_CREATE, attr)));
  if (!link.valid()) return errno_error("link BPF iterator");
  return link;
}

Result<std::vector<std::byte>> TaskIterator::run(const Fd& link) {
  constexpr std::size_t kPiece = 64u << 10;
  bpf_attr attr = empty_attr();
  attr.iter_create.link_fd = static_cast<__u32>(link.get());
  const Fd iteration(static_cast<int>(system_call(BPF_ITER_CREATE, attr)));
  if (!iteration.valid()) return errno_error("begin BPF iterator");
  std::vector<std::byte> written;
  for (std::size_t length = 0;;) {
    written.resize(length + kPiece);
    const ssize_t size = ::read(iteration.get(), written.data() + length, kPiece);
    if (size < 0) return errno_error("read BPF iterator");
    length += static_cast<std::size_t>(size);
    if (size > 0) continue;
    written.resize(length);
    return written;
  }
}

}  // namespace sockdoc::bpf
