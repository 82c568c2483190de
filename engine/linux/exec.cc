#include "engine/linux/exec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "engine/isa/x86/cpuid.h"
#include "engine/linux/debugger.h"
#include "engine/linux/exit.h"
#include "engine/linux/return_page.h"
#include "engine/loader/elf.h"
#include "engine/loader/script.h"
#include "engine/vfs/file_capabilities.h"

namespace glovebox::engine {
namespace {

constexpr std::size_t kCommandBytes = 15;                   // TASK_COMM_LEN without its NUL
constexpr std::string_view kDefaultPath = "/bin:/usr/bin";  // execvp(3), without PATH
constexpr std::uint64_t kMinSignalStackBytes = 2048;
constexpr std::uint64_t kClockTicks = 100;

LoadResult<RegularFile*> CheckFile(Task& task, const PathRef& file, const std::string& name) {
  if (!file.inode->is(kTypeRegular)) return FailLoad(kEACCES, name + " is not a regular file");
  if (!MayAccess(*file.inode, task.credentials, kMayExecute)) {
    return FailLoad(kEACCES, name + " is not executable (mode " +
                                 std::to_string((file.inode->permissions >> 6) & 7) +
                                 std::to_string((file.inode->permissions >> 3) & 7) +
                                 std::to_string(file.inode->permissions & 7) + ")");
  }
  if (file.inode->LiesOn(kVolumeNoExecution))
    return FailLoad(kEACCES, name + " lies on a file system that is mounted noexec");
  auto* regular = dynamic_cast<RegularFile*>(file.inode.get());
  if (regular == nullptr) return FailLoad(kEACCES, name + " cannot be executed");
  return regular;
}

LoadError Named(LoadError error, const std::string& name) {
  error.detail = name + ": " + error.detail;
  return error;
}

// Follows "#!" lines until an ELF file is found; rewrites argv on the way. Returns the file to map.
LoadResult<RegularFile*> FollowScripts(Task& task, ExecRequest& request) {
  std::string name = request.filename;
  for (int depth = 0;; ++depth) {
    const auto file = CheckFile(task, request.file, name);
    if (!file) return file;
    std::array<char, kScriptHeadBytes> head{};
    const auto got = (*file)->content.Read(0, std::as_writable_bytes(std::span(head)));
    if (!got) return FailLoad(got.error(), name + " cannot be read");
    const std::string_view text(head.data(), *got);
    if (!IsScript(text)) return *file;
    if (depth >= kMaxScriptDepth)
      return FailLoad(kELOOP, name + ": interpreters that are scripts, too deep");
    const auto line = ParseScript(text);
    if (!line) return std::unexpected(Named(line.error(), name));
    std::vector<std::string> argv{line->interpreter};
    if (line->argument) argv.push_back(*line->argument);
    argv.push_back(name);
    if (!request.argv.empty())
      argv.insert(argv.end(), request.argv.begin() + 1, request.argv.end());
    request.argv = std::move(argv);
    auto resolved = task.Resolve(kAtFdCwd, line->interpreter, {});
    if (!resolved) {
      return FailLoad(resolved.error(),
                      name + ": its interpreter " + line->interpreter + " cannot be found");
    }
    request.file = std::move(resolved->ref);
    name = line->interpreter;
  }
}

// Who the program is that a file makes: execve(2) for the ids, capabilities(7), "Transformation of
// capabilities during execve()": security/commoncap.c, cap_bprm_creds_from_file. EPERM: the program
// wants capabilities that it cannot have.
struct NewIdentity {
  Credentials who;
  bool is_secure = false;  // AT_SECURE
};
Result<NewIdentity, Errno> IdentityAfterExec(const Task& task, const Inode& file) {
  const Credentials& before = task.credentials;
  NewIdentity out{before, false};
  Credentials& who = out.who;
  Capabilities& has = who.capabilities;
  constexpr std::uint32_t kGroupMayExecute = 0010;
  const bool honoured = !file.LiesOn(kVolumeNoSetId);
  if (!task.no_new_privileges && honoured) {
    if ((file.permissions & kSetUid) != 0) who.euid = file.uid;
    if ((file.permissions & kSetGid) != 0 && (file.permissions & kGroupMayExecute) != 0)
      who.egid = file.gid;
  }
  const bool root_is_special = (has.secure_bits & kSecureNoRoot) == 0;
  const auto of_file = honoured ? FileCapabilitiesOf(file) : std::nullopt;
  bool all_effective = of_file && of_file->effective;
  has.permitted = 0;
  if (of_file) {
    has.permitted = (has.bounding & of_file->permitted) | (has.inheritable & of_file->inheritable);
    if (all_effective && !IsSubset(of_file->permitted, has.permitted))
      return std::unexpected(kEPERM);
  }
  // Of a set-user-ID program of root's that has capabilities of its own, these count.
  const bool mixes = of_file && who.uid != 0 && who.euid == 0;
  if (root_is_special && !mixes) {
    if (who.uid == 0 || who.euid == 0) has.permitted = has.bounding | has.inheritable;
    all_effective |= who.euid == 0;
  }
  const bool sets_id = who.euid != before.uid || who.egid != before.gid;
  // A tracer that is no superuser gets none to trace: cap_bprm_creds_from_file.
  const bool is_watched =
      ptrace::IsTraced(task) && !task.tracing->tracer->credentials.Can(Capability::kSysPtrace);
  if ((task.no_new_privileges || is_watched) &&
      (sets_id || !IsSubset(has.permitted, before.capabilities.permitted))) {
    if (task.no_new_privileges || !before.Can(Capability::kSetuid)) {
      who.euid = who.uid;
      who.egid = who.gid;
    }
    has.permitted &= before.capabilities.permitted;
  }
  who.suid = who.fsuid = who.euid;
  who.sgid = who.fsgid = who.egid;
  if (sets_id || of_file) has.ambient = 0;
  has.permitted |= has.ambient;
  has.effective = all_effective ? has.permitted : has.ambient;
  has.secure_bits &= ~std::uint32_t{kSecureKeepCapabilities};
  out.is_secure =
      sets_id || (who.uid != 0 && (all_effective || !IsSubset(has.permitted, has.ambient)));
  return out;
}

void TakeIdentity(Task& task, NewIdentity to, const Inode& file) {
  const Credentials& before = task.credentials;
  Credentials& who = to.who;
  if (to.is_secure || who.euid != before.euid || who.egid != before.egid)
    task.parent_death_signal = 0;
  // Who may not read the program may not look into its process either.
  task.dumpable = who.uid == who.euid && who.gid == who.egid && MayAccess(file, before, kMayRead) &&
                  IsSubset(who.capabilities.permitted, before.capabilities.permitted);
  task.credentials = std::move(who);
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> AuxiliaryVector(const NewIdentity& identity,
                                                                     const LoadedImage& image,
                                                                     GuestAddr interpreter_bias,
                                                                     std::uint8_t word_bytes) {
  const Credentials& who = identity.who;
  return {{kAuxMinSignalStack, kMinSignalStackBytes},
          {kAuxHwcap, x86::Cpuid(1, 0).edx},  // as on Linux: arch/x86/include/asm/elf.h, ELF_HWCAP
          {kAuxPageSize, kPageSize},
          {kAuxClockTicks, kClockTicks},
          {kAuxHeaders, image.header_table},
          {kAuxHeaderBytes, ElfHeaderEntryBytes(word_bytes)},
          {kAuxHeaderCount, image.header_count},
          {kAuxBase, interpreter_bias},
          {kAuxFlags, 0},
          {kAuxEntry, image.entry},
          {kAuxUid, who.uid},
          {kAuxEuid, who.euid},
          {kAuxGid, who.gid},
          {kAuxEgid, who.egid},
          {kAuxSecure, identity.is_secure ? 1u : 0u},
          {kAuxRandom, 0},
          {kAuxHwcap2, 0},
          {kAuxExecFilename, 0},
          {kAuxPlatform, 0}};
}

LoadResult<std::unique_ptr<Program>> MakeProgram(Task& task, const ElfImage& elf) {
  AddressSpace::Options options;
  const bool i386 = elf.word_bytes == 4;
  if (i386) {
    options.window_bytes = kWindowBytes32;
  } else {
    options.window_start = elf.position_independent ? kIndependentWindow : 0;
    options.address_end = kAddressEnd64;
  }
  options.max_mappings = static_cast<std::size_t>(task.kernel.spec.limits[LimitId::kMappings]);
  auto space = AddressSpace::Make(options, task.kernel.memory_meter);
  if (!space) {
    // Of what the box may map on any host, there is no more.
    if (space.error().reason == "TOO_MANY_MAPPINGS")
      return FailLoad(kENOMEM, "the box has as many mappings as it may have");
    task.kernel.FailHost(space.error());
    return FailLoad(kENOMEM, space.error().message);
  }
  const auto abi = i386 ? abi::AbiId::kI386 : abi::AbiId::kX86_64;
  auto cpu = std::make_unique<x86::Vcpu>(
      **space, i386 ? x86::CpuMode::kProtected32 : x86::CpuMode::kLong64, task.kernel.MemoFor(abi));
  auto program = std::make_unique<Program>(abi, std::move(*space), std::move(cpu));
  program->address_end = i386 ? kAddressEnd32 : kAddressEnd64;
  return program;
}

// See return_page.h. The highest mapping of all, as a vDSO mostly is.
LoadResult<GuestAddr> MapReturnPage(AddressSpace& memory) {
  MapRequest request;
  request.size_bytes = kPageSize;
  request.protection = kProtRead | kProtExec;
  request.name = "[vdso]";
  const auto page = memory.Map(request);
  if (!page) return FailLoad(kENOMEM, "no room for the page that system calls return to");
  const auto code = std::as_bytes(std::span(kReturnCode));
  if (memory.Poke(*page, code) != code.size())
    return std::unexpected(
        LoadError{kENOMEM, "the program needs more memory than the limit", true});
  return *page;
}

LoadResult<ElfImage> Parse(RegularFile& file) {
  const FileReader read = [&content = file.content](std::uint64_t offset,
                                                    std::span<std::byte> out) {
    return content.Read(offset, out);
  };
  return ParseElf(read, file.size_bytes(), AddressSpace::Options{}.window_bytes);
}

// Maps the program that is to load a dynamic one: ld.so, which is guest code like any other.
LoadResult<LoadedImage> MapInterpreter(Task& task, Program& program, const ElfImage& elf,
                                       const AddressLayout& layout) {
  const std::string& name = elf.interpreter;
  const auto resolved = task.Resolve(kAtFdCwd, name, {});
  if (!resolved) {
    return FailLoad(resolved.error(), "dynamically linked, and its interpreter " + name +
                                          " cannot be found in the root");
  }
  const auto file = CheckFile(task, resolved->ref, name);
  if (!file) return std::unexpected(file.error());
  const auto image = Parse(**file);
  if (!image) return std::unexpected(Named(image.error(), name));
  if (image->word_bytes != elf.word_bytes) {
    return FailLoad(kELIBBAD, name + " is an interpreter for programs of " +
                                  std::to_string(image->word_bytes * 8) + " bits");
  }
  const auto at = LayoutOfInterpreter(*program.space, *image, layout);
  if (!at) return std::unexpected(at.error());
  return MapImage(*program.space, **file, *image, *at, DisplayPath(task.fs().root, resolved->ref));
}

void Enter(Task& task, std::unique_ptr<Program> program) {
  EndOtherThreads(task);
  task.LeaveCpu();
  x86::Registers registers;
  registers.rip = program->start;
  registers.gpr[x86::kRsp] = program->stack.stack_pointer;
  program->cpu->Set(registers);
  program->cpu_holder = &task;
  task.command = program->command;
  task.kernel.futexes.HandleDeathOf(task);
  if (task.debug && task.program) task.kernel.debugger->NoteExec(task, *program);
  task.program = std::move(program);
  task.kernel.scheduler.WakeAll(&task);  // a parent that called vfork(2)
  task.process.has_executed = true;
  task.signals.ResetHandlers();
  task.process.timers.RemoveAll();
  if (task.fd_table.use_count() > 1) task.fd_table = std::make_shared<FdTable>(task.fds());
  task.fds().CloseOnExec();
  task.clear_child_tid = 0;
  task.robust_list = 0;
}

}  // namespace

LoadResult<void> Execute(Task& task, ExecRequest request) {
  if (request.argv.empty()) request.argv.emplace_back();  // Linux since 5.18 adds an empty argv[0]
  const auto file = FollowScripts(task, request);
  if (!file) return std::unexpected(file.error());
  if (const auto fits = CheckArgumentSize(request.argv, request.env, request.filename); !fits)
    return fits;
  const auto elf = Parse(**file);
  if (!elf) return std::unexpected(Named(elf.error(), request.filename));
  auto identity = IdentityAfterExec(task, **file);
  if (!identity) {
    return FailLoad(identity.error(),
                    request.filename + " asks for capabilities that it cannot have");
  }

  auto made = MakeProgram(task, *elf);
  if (!made) return std::unexpected(Named(made.error(), request.filename));
  Program& program = **made;
  SeededRandom random(task.kernel.exec_random.Next(), 0);
  const AddressLayout layout =
      DrawLayout(program.space->window_start(), program.space->window_bytes(), random);
  program.space->SetMmapTop(layout.mmap_top);
  program.space->SetStackLimit(task.process.limits[kLimitStack].soft);
  auto image =
      MapImage(*program.space, **file, *elf, layout, DisplayPath(task.fs().root, request.file));
  if (!image) return std::unexpected(Named(image.error(), request.filename));
  program.image = *image;
  program.start = image->entry;
  GuestAddr interpreter_bias = 0;
  if (!elf->interpreter.empty()) {
    const auto loader = MapInterpreter(task, program, *elf, layout);
    if (!loader) return std::unexpected(Named(loader.error(), request.filename));
    program.start = loader->entry;
    interpreter_bias = loader->bias;
  }
  if (program.abi == abi::AbiId::kI386) {
    const auto page = MapReturnPage(*program.space);
    if (!page) return std::unexpected(Named(page.error(), request.filename));
    program.return_page = *page;
  }
  program.brk_start = program.brk = image->brk_start;
  program.executable = request.file;
  program.command =
      request.filename.substr(request.filename.rfind('/') + 1).substr(0, kCommandBytes);

  StackContents contents;
  contents.word_bytes = elf->word_bytes;
  contents.argv = std::move(request.argv);
  contents.env = std::move(request.env);
  contents.exec_filename = request.filename;
  contents.platform = task.kernel.world.Text(program.abi == abi::AbiId::kI386 ? WorldId::kMachine32
                                                                              : WorldId::kMachine);
  SeededRandom(random.Next(), 1).Fill(contents.random);
  contents.auxv = AuxiliaryVector(*identity, *image, interpreter_bias, elf->word_bytes);
  const auto stack = BuildStack(*program.space, layout, elf->executable_stack, contents);
  if (!stack) return std::unexpected(Named(stack.error(), request.filename));
  program.stack = *stack;
  TakeIdentity(task, std::move(*identity), **file);
  Enter(task, std::move(*made));
  return {};
}

LoadResult<PathRef> FindProgram(Task& task, const std::string& program,
                                const std::vector<std::string>& env, std::string* filename) {
  if (program.empty()) return FailLoad(kENOENT, "the program has no name");
  if (program.find('/') != std::string::npos) {
    *filename = program;
    auto resolved = task.Resolve(kAtFdCwd, program, {});
    if (!resolved) return FailLoad(resolved.error(), program + " cannot be found in the root");
    return std::move(resolved->ref);
  }
  std::string_view path = kDefaultPath;
  for (const std::string& entry : env) {
    if (entry.starts_with("PATH=")) path = std::string_view(entry).substr(5);
  }
  // As execvp(3): what is there but may not be executed decides only where nothing better follows.
  LoadError worst{kENOENT, program + " is in no directory of PATH (" + std::string(path) + ")"};
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find(':', start), path.size());
    const std::string directory(path.substr(start, end - start));
    const std::string candidate = (directory.empty() ? "." : directory) + "/" + program;
    start = end + 1;
    auto resolved = task.Resolve(kAtFdCwd, candidate, {});
    if (!resolved) continue;
    if (const auto usable = CheckFile(task, resolved->ref, candidate); !usable) {
      worst = usable.error();
      continue;
    }
    *filename = candidate;
    return std::move(resolved->ref);
  }
  return std::unexpected(worst);
}

}  // namespace glovebox::engine
