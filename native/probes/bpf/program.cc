#include "probes/bpf/program.h"

#include <string_view>

#include "probes/bpf/system_call.h"

namespace sockdoc::bpf {
namespace {

constexpr std::size_t kLogBytes = 256u << 10;
// The reason stands at the end of the log.
constexpr std::size_t kLogBytesKept = 2000;

long load_once(const ProgramSpec& spec, const std::vector<bpf_insn>& instructions, std::vector<char>* log) {
  bpf_attr attr = empty_attr();
  attr.prog_type = spec.type;
  attr.expected_attach_type = spec.attach_type;
  attr.attach_btf_id = spec.attach_btf_id;
  attr.insns = pointer(instructions.data());
  attr.insn_cnt = static_cast<__u32>(instructions.size());
  attr.license = pointer(spec.license);
  set_name(attr.prog_name, spec.name);
  if (log != nullptr) {
    attr.log_buf = pointer(log->data());
    attr.log_size = static_cast<__u32>(log->size());
    attr.log_level = 1;
  }
  return system_call(BPF_PROG_LOAD, attr);
}

std::string end_of(const std::vector<char>& log) {
  const std::string_view text(log.data(), ::strnlen(log.data(), log.size()));
  return std::string(text.size() > kLogBytesKept ? text.substr(text.size() - kLogBytesKept) : text);
}

}  // namespace

Result<Fd> load(const ProgramSpec& spec, const Assembler& assembler) {
  const auto instructions = assembler.finish();
  if (!instructions) return instructions.error();
  Fd program(static_cast<int>(load_once(spec, *instructions, nullptr)));
  if (program.valid()) return program;
  const Error refused = errno_error("load BPF program " + spec.name);
  if (refused.code == EPERM || refused.code == ENOSYS) return refused;
  // Once more for the log, which costs time that a program that loads need not spend.
  std::vector<char> log(kLogBytes, '\0');
  Fd again(static_cast<int>(load_once(spec, *instructions, &log)));
  if (again.valid()) return again;
  const std::string said = end_of(log);
  if (said.empty()) return refused;
  // Not EACCES, as the verifier may put it: no privilege would help.
  return Error{EINVAL, refused.what + " (the verifier says: " + said + ")"};
}

Result<Fd> attach_raw_tracepoint(const Fd& program, const ProgramSpec& spec, const char* name) {
  bpf_attr attr = empty_attr();
  attr.raw_tracepoint.name = spec.type == BPF_PROG_TYPE_TRACING ? 0 : pointer(name);
  attr.raw_tracepoint.prog_fd = static_cast<__u32>(program.get());
  Fd link(static_cast<int>(system_call(BPF_RAW_TRACEPOINT_OPEN, attr)));
  if (!link.valid()) return errno_error(std::string("attach to tracepoint ") + name);
  return link;
}

Result<Attached> Attached::attach(const ProgramSpec& spec, const Assembler& assembler, const char* tracepoint) {
  auto program = load(spec, assembler);
  if (!program) return program.error();
  auto link = attach_raw_tracepoint(*program, spec, tracepoint);
  if (!link) return link.error();
  return Attached(std::move(*program), std::move(*link));
}

Attached::Cost Attached::cost() const {
  bpf_prog_info info{};
  bpf_attr attr = empty_attr();
  attr.info.bpf_fd = static_cast<__u32>(program_.get());
  attr.info.info_len = sizeof info;
  attr.info.info = pointer(&info);
  if (system_call(BPF_OBJ_GET_INFO_BY_FD, attr) != 0) return {};
  return {info.run_time_ns, info.run_cnt};
}

}  // namespace sockdoc::bpf
