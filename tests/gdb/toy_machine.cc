// A machine for a real gdb to debug, over standard input and output: `target remote | gdb_toy
// PROG`. PROG is a static 64-bit ELF program without a library; it has a handful of system calls,
// and threads that take turns. The engine's CPU runs it one instruction at a time: simple, not
// fast.
#include <elf.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "engine/base/check.h"
#include "engine/isa/x86/vcpu.h"
#include "engine/memory/address_space.h"
#include "gdbstub/session.h"
#include "gdbstub/signals.h"

namespace glovebox::gdbstub::tests {
namespace {

namespace x86 = engine::x86;
using engine::operator""_GiB;
using engine::operator""_MiB;

constexpr GuestAddr kStackTop = 0x7fff0000;
constexpr int kTurn = 50;  // instructions

// System calls, by Linux' numbers where there are such.
enum Call : std::uint64_t {
  kWrite = 1,
  kExit = 60,
  kTgkill = 234,
  kExitGroup = 231,
  kSpawn = 1000
};

class Toy : public Debuggee,
            public Breakpoints,
            public Watchpoints,
            public Auxv,
            public MemoryMap,
            public Monitor {
 public:
  explicit Toy(const std::string& path) : path_(path), meter_(64_MiB) {
    memory_ =
        engine::AddressSpace::Make({.window_bytes = 8_GiB, .max_mappings = 100}, meter_).value();
    std::ifstream in(path, std::ios::binary);
    const std::string image{std::istreambuf_iterator<char>(in), {}};
    Elf64_Ehdr header;
    GB_CHECK(image.size() >= sizeof header);
    std::memcpy(&header, image.data(), sizeof header);
    for (int i = 0; i < header.e_phnum; ++i) {
      Elf64_Phdr segment;
      std::memcpy(&segment, image.data() + header.e_phoff + sizeof segment * i, sizeof segment);
      if (segment.p_type != PT_LOAD) continue;
      Map(engine::PageFloor(segment.p_vaddr),
          engine::PageCeil(segment.p_vaddr + segment.p_memsz) - engine::PageFloor(segment.p_vaddr));
      memory_->Poke(segment.p_vaddr,
                    AsBytes(std::string_view(image).substr(segment.p_offset, segment.p_filesz)));
    }
    Map(kStackTop - 1_MiB, 1_MiB);
    Elf64_Phdr first;
    std::memcpy(&first, image.data() + header.e_phoff, sizeof first);
    auxv_ = {AT_PHDR,  first.p_vaddr - first.p_offset + header.e_phoff,
             AT_PHENT, sizeof(Elf64_Phdr),
             AT_PHNUM, header.e_phnum,
             AT_ENTRY, header.e_entry,
             AT_NULL,  0};
    cpu_ = std::make_unique<x86::Vcpu>(*memory_);
    cpu_->SetRip(header.e_entry);
    cpu_->SetGpr(x86::kRsp, kStackTop - 64);
    Spawn();
  }

  bool Running() const {
    return std::ranges::any_of(threads_,
                               [](const Thread& thread) { return thread.mode != kStands; });
  }

  // A slice of the running threads' work.
  void Run() {
    for (int turn = 0; turn < 40 && Running(); ++turn) {
      for (std::size_t i = 0; i < threads_.size() && Running(); ++i) {
        if (threads_[i].mode == kStands) continue;
        Enter(i);
        for (int step = 0; step < kTurn && Running() && threads_[current_].mode != kStands;
             ++step) {
          if (!StepOne()) break;
        }
      }
    }
    if (interrupted_ && Running()) {
      StopAll({.thread = Ref(current_), .signal = kLinuxSigint});
    }
    interrupted_ = false;
  }

  void Listen(Listener* listener) override { listener_ = listener; }
  std::vector<ProcessInfo> Processes() override {
    if (threads_.empty()) return {};
    return {{1, 0, 0, 0, Architecture::kAmd64, path_}};
  }
  std::vector<ThreadInfo> Threads() override {
    std::vector<ThreadInfo> all;
    for (const Thread& thread : threads_) {
      all.push_back({{1, thread.tid}, "toy", thread.mode != kStands});
    }
    return all;
  }
  Answer<std::size_t> ReadMemory(std::uint32_t, GuestAddr address,
                                 std::span<std::byte> out) override {
    const std::size_t size = memory_->Peek(out, address);
    return size == 0 ? Answer<std::size_t>(Refuse(engine::kEFAULT)) : size;
  }
  Answer<void> WriteMemory(std::uint32_t, GuestAddr address,
                           std::span<const std::byte> in) override {
    if (!memory_->IsMapped(address, in.size())) return Refuse(engine::kEFAULT);
    memory_->Poke(address, in);
    return {};
  }
  Answer<void> ReadRegisters(ThreadRef ref, std::span<std::byte> out) override {
    const auto index = IndexOf(ref);
    if (!index) return std::unexpected(index.error());
    Enter(*index);
    File file(out);
    const x86::Registers registers = cpu_->Get();
    for (RegisterNumber n = 0; n < std::size(kGprs); ++n) file.Put(n, registers.gpr[kGprs[n]]);
    file.Put(kAmd64Rip, registers.rip);
    file.Put(kAmd64Eflags, registers.rflags);
    for (std::size_t n = 0; n < std::size(kSelectors); ++n) {
      file.Put(static_cast<RegisterNumber>(kAmd64Cs + n), cpu_->selector(kSelectors[n]));
    }
    file.Put(kAmd64OrigRax, UINT64_MAX);
    file.Put(kAmd64FsBase, registers.fs_base);
    file.Put(kAmd64GsBase, registers.gs_base);
    file.Put(kAmd64Fctrl, 0x37f);
    file.Put(kAmd64Fctrl + 2, 0xffff);
    file.Put(kAmd64Mxcsr, 0x1f80);
    const x86::VectorRegisters vectors = cpu_->GetVectors();
    for (RegisterNumber n = 0; n < 16; ++n) {
      file.Put(static_cast<RegisterNumber>(kAmd64Xmm0 + n), vectors[n][0], vectors[n][1]);
      file.Put(static_cast<RegisterNumber>(kAmd64Ymm0h + n), vectors[n][2], vectors[n][3]);
    }
    return {};
  }
  Answer<void> WriteRegister(ThreadRef ref, RegisterNumber number,
                             std::span<const std::byte> value) override {
    const auto index = IndexOf(ref);
    if (!index) return std::unexpected(index.error());
    Enter(*index);
    std::uint64_t words[2] = {};
    std::memcpy(words, value.data(), std::min(value.size(), sizeof words));
    x86::Registers registers = cpu_->Get();
    if (number < std::size(kGprs)) registers.gpr[kGprs[number]] = words[0];
    if (number == kAmd64Rip) registers.rip = words[0];
    if (number == kAmd64Eflags) registers.rflags = words[0];
    if (number == kAmd64FsBase) registers.fs_base = words[0];
    cpu_->Set(registers);
    x86::VectorRegisters vectors = cpu_->GetVectors();
    if (number >= kAmd64Xmm0 && number < kAmd64Mxcsr) {
      vectors[number - kAmd64Xmm0][0] = words[0];
      vectors[number - kAmd64Xmm0][1] = words[1];
      cpu_->SetVectors(vectors);
    }
    return {};  // the others stay as they are
  }
  Answer<GuestAddr> ThreadPointer(ThreadRef) override { return cpu_->Get().fs_base; }
  Answer<void> Resume(std::span<const ResumeAction> actions) override {
    for (const ResumeAction& action : actions) {
      const auto index = IndexOf(action.thread);
      if (!index) return std::unexpected(index.error());
      Thread& thread = threads_[*index];
      thread.mode = action.kind == ResumeKind::kContinue ? kRuns : kSteps;
      thread.begin = action.range_begin;
      thread.end = action.range_end;
      if (action.signal != 0) {  // nobody handles signals here
        for (Thread& one : threads_) one.mode = kStands;
        died_ = action.signal;
      }
    }
    return {};
  }
  void Interrupt() override { interrupted_ = true; }
  Answer<void> Halt(ThreadRef) override { return Refuse(engine::kENOSYS); }
  Answer<void> SetNonStop(bool on) override {
    return on ? Answer<void>(Refuse(engine::kENOSYS)) : Answer<void>();
  }
  void PassSignals(std::span<const int>) override {}
  void ProgramSignals(std::span<const int>) override {}
  Answer<void> Detach(std::uint32_t, int) override { return Kill(1); }
  Answer<void> Kill(std::uint32_t) override {
    threads_.clear();
    return {};
  }

  Breakpoints* breakpoints() override { return this; }
  Watchpoints* watchpoints() override { return this; }
  Auxv* auxv() override { return this; }
  MemoryMap* memory_map() override { return this; }
  Monitor* monitor() override { return this; }
  Answer<void> Insert(std::uint32_t, BreakpointKind, GuestAddr address,
                      std::shared_ptr<HitAction> action) override {
    breakpoints_[address] = std::move(action);
    return {};
  }
  Answer<void> Remove(std::uint32_t, BreakpointKind, GuestAddr address) override {
    breakpoints_.erase(address);
    return {};
  }
  Answer<void> Insert(std::uint32_t, WatchKind kind, GuestAddr address,
                      std::uint64_t length) override {
    if (kind != WatchKind::kWrite) return Refuse(engine::kENOSYS);
    watched_[address] = Contents(address, length);
    return {};
  }
  Answer<void> Remove(std::uint32_t, WatchKind, GuestAddr address, std::uint64_t) override {
    watched_.erase(address);
    return {};
  }
  Answer<std::vector<std::byte>> Read(std::uint32_t) override {
    const auto bytes = std::as_bytes(std::span(auxv_));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }
  GuestAddr Limit(std::uint32_t) override { return 8_GiB; }
  Answer<MemoryRegion> Find(std::uint32_t, GuestAddr address) override {
    if (address >= 8_GiB) return Refuse(engine::kEFAULT);
    MemoryRegion region{.begin = 0, .end = 8_GiB, .name = {}};
    for (const engine::Mapping& mapping : memory_->Mappings()) {
      if (mapping.start <= address && address < mapping.end) {
        return MemoryRegion{mapping.start, mapping.end, true, true, true, true, {}};
      }
      if (mapping.end <= address) region.begin = mapping.end;
      if (mapping.start > address) region.end = std::min<GuestAddr>(region.end, mapping.start);
    }
    return region;
  }
  Answer<std::string> Command(std::string_view text, ThreadRef) override {
    if (text == "icount") return std::to_string(cpu_->icount()) + "\n";
    return Refuse(engine::kEINVAL, "monitor icount is all there is");
  }

  // Tells what could not be told within Resume.
  void TellPending() {
    if (died_ != 0)
      End({.thread = {1, 1},
           .reason = StopReason::kProcessSignaled,
           .signal = std::exchange(died_, 0)});
  }

 private:
  enum Mode : std::uint8_t { kStands, kRuns, kSteps };
  struct Thread {
    std::uint32_t tid = 0;
    Mode mode = kStands;
    GuestAddr begin = 0, end = 0;
    x86::ThreadContext context;
  };
  static constexpr x86::Gpr kGprs[] = {
      x86::kRax, x86::kRbx, x86::kRcx, x86::kRdx, x86::kRsi, x86::kRdi, x86::kRbp, x86::kRsp,
      x86::kR8,  x86::kR9,  x86::kR10, x86::kR11, x86::kR12, x86::kR13, x86::kR14, x86::kR15};
  static constexpr x86::SegmentRegister kSelectors[] = {x86::kCs, x86::kSs, x86::kDs,
                                                        x86::kEs, x86::kFs, x86::kGs};

  class File {
   public:
    explicit File(std::span<std::byte> out) : out_(out) { std::ranges::fill(out_, std::byte{0}); }
    void Put(RegisterNumber number, std::uint64_t low, std::uint64_t high = 0) {
      const RegisterRow& row = LayoutOf(Architecture::kAmd64).rows[number];
      const std::uint64_t words[] = {low, high};
      std::memcpy(out_.data() + row.offset, words, std::min(row.size_bytes(), sizeof words));
    }

   private:
    std::span<std::byte> out_;
  };

  class View : public HitView {
   public:
    View(Toy& toy, ThreadRef thread) : toy_(toy), thread_(thread) {}
    ThreadRef thread() const override { return thread_; }
    std::uint64_t Register(RegisterNumber number) override {
      if (number < std::size(kGprs)) return toy_.cpu_->gpr(kGprs[number]);
      return number == kAmd64Rip ? toy_.cpu_->rip() : 0;
    }
    bool Read(GuestAddr address, std::span<std::byte> out) override {
      return toy_.memory_->Peek(out, address) == out.size();
    }

   private:
    Toy& toy_;
    ThreadRef thread_;
  };

  static std::span<const std::byte> AsBytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }
  ThreadRef Ref(std::size_t index) const { return {1, threads_[index].tid}; }
  Answer<std::size_t> IndexOf(ThreadRef ref) const {
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      if (Ref(i) == ref) return i;
    }
    return Refuse(engine::kESRCH);
  }
  void Map(GuestAddr address, std::uint64_t size_bytes) {
    engine::MapRequest request;
    request.address = address;
    request.size_bytes = size_bytes;
    request.protection = engine::kProtRead | engine::kProtWrite | engine::kProtExec;
    request.fixed = true;
    GB_CHECK(memory_->Map(request).has_value());
  }
  std::string Contents(GuestAddr address, std::uint64_t length) {
    std::string bytes(length, '\0');
    memory_->Peek(std::as_writable_bytes(std::span(bytes)), address);
    return bytes;
  }
  void Spawn() {
    threads_.emplace_back();
    threads_.back().tid = ++last_tid_;
    cpu_->Save(threads_.back().context);
  }
  void Enter(std::size_t index) {
    if (index == current_) return;
    if (current_ < threads_.size()) cpu_->Save(threads_[current_].context);
    current_ = index;
    cpu_->Load(threads_[index].context);
  }

  // False: nothing more of this thread now.
  bool StepOne() {
    const auto breakpoint = breakpoints_.find(cpu_->rip());
    if (breakpoint != breakpoints_.end()) {
      View view(*this, Ref(current_));
      if (!breakpoint->second || breakpoint->second->OnHit(view).stops) {
        StopAll({.thread = Ref(current_), .reason = StopReason::kSoftwareBreakpoint});
        return false;
      }
    }
    const engine::Stop stop = cpu_->Step();
    if (stop.kind == engine::StopKind::kSyscall) {
      if (!Serve()) return false;
    } else if (stop.kind == engine::StopKind::kMemoryFault) {
      StopAll({.thread = Ref(current_), .signal = 11});
      return false;
    } else if (stop.kind == engine::StopKind::kException &&
               stop.exception != engine::ExceptionKind::kSingleStep) {
      StopAll({.thread = Ref(current_), .signal = 4});
      return false;
    }
    for (auto& [address, before] : watched_) {
      std::string now = Contents(address, before.size());
      if (now == before) continue;
      before = std::move(now);
      StopAll({.thread = Ref(current_), .reason = StopReason::kWatchWrite, .address = address});
      return false;
    }
    const Thread& thread = threads_[current_];  // only now: a call may have made threads
    if (thread.mode == kSteps && !(cpu_->rip() >= thread.begin && cpu_->rip() < thread.end)) {
      StopAll({.thread = Ref(current_), .signal = kLinuxSigtrap});
      return false;
    }
    return true;
  }

  bool Serve() {
    const auto argument = [&](x86::Gpr gpr) { return cpu_->gpr(gpr); };
    switch (argument(x86::kRax)) {
      case kWrite: {
        const std::string text = Contents(argument(x86::kRsi), argument(x86::kRdx));
        static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
        return true;
      }
      case kSpawn: {
        const GuestAddr back = cpu_->rip();
        const std::uint64_t stack = argument(x86::kRsp);
        cpu_->SetRip(argument(x86::kRdi));
        cpu_->SetGpr(x86::kRsp, argument(x86::kRsi));
        Spawn();
        threads_.back().mode = kRuns;
        cpu_->SetRip(back);
        cpu_->SetGpr(x86::kRsp, stack);
        return true;
      }
      case kTgkill:
        StopAll({.thread = Ref(current_), .signal = static_cast<int>(argument(x86::kRdx))});
        return false;
      case kExitGroup:
      case kExit:
        End({.thread = {1, 1},
             .reason = StopReason::kProcessExited,
             .code = static_cast<int>(argument(x86::kRdi) & 0xff)});
        return false;
      default:
        return true;
    }
  }

  void StopAll(StopEvent event) {
    for (Thread& thread : threads_) thread.mode = kStands;
    listener_->OnStop(event);
  }
  void End(StopEvent event) {
    threads_.clear();
    listener_->OnStop(event);
  }

  const std::string path_;
  std::vector<std::uint64_t> auxv_;
  engine::MemoryMeter meter_;
  std::unique_ptr<engine::AddressSpace> memory_;
  std::unique_ptr<x86::Vcpu> cpu_;
  std::vector<Thread> threads_;
  std::size_t current_ = 0;
  std::uint32_t last_tid_ = 0;
  int died_ = 0;
  bool interrupted_ = false;
  Listener* listener_ = nullptr;
  std::map<GuestAddr, std::shared_ptr<HitAction>> breakpoints_;
  std::map<GuestAddr, std::string> watched_;
};

class Output : public Sink {
 public:
  void Send(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t sent = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
      if (sent <= 0) return;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
  }
};

int Serve(const std::string& path) {
  Toy toy(path);
  Output output;
  Session session(toy, output);
  std::byte buffer[65536];
  while (!session.closed()) {
    pollfd poll{STDIN_FILENO, POLLIN, 0};
    if (::poll(&poll, 1, toy.Running() ? 0 : -1) > 0) {
      const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (got <= 0) return 0;
      session.Receive(std::span(buffer).first(static_cast<std::size_t>(got)));
      toy.TellPending();
    }
    if (toy.Running()) toy.Run();
  }
  return 0;
}

}  // namespace
}  // namespace glovebox::gdbstub::tests

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: gdb_toy PROGRAM\n");
    return 2;
  }
  return glovebox::gdbstub::tests::Serve(argv[1]);
}
