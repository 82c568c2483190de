// A core of a small box, read as elf(5) and core(5) say.
#include "server/worker/core_dump.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/tools/elf_builder.h"
#include "tests/tools/memory_tree.h"

namespace glovebox::worker {
namespace {

using engine::DebugEvent;
using tests::Code;

constexpr std::uint64_t kMmap = 9, kExitGroup = 231;
constexpr std::uint64_t kPrivateAnonymousFixed = 0x32;
constexpr engine::GuestAddr kFar = 0x10'0000'0000;
constexpr std::size_t kPieceBytes = 10'000;  // not a multiple of pages

class Doors : public engine::BoxHost, public engine::DebugHost {
 public:
  void OnOutput(engine::OutputStream, std::span<const std::byte>, engine::Icount) override {}
  void OnTrace(const engine::TraceEvent&) override {}
  Result<Input, Error> ReadStdin(std::uint64_t, std::size_t) override {
    return Input{.bytes = {}, .end = true};
  }
  engine::DebugVerdict OnBreakpoint(const engine::DebugHit&) override { return {.stops = true}; }
  void OnChange(const engine::DebugChange&) override { ++changes; }
  int changes = 0;
};

template <typename Class>
class Core {
 public:
  // Of a program that has run into its fatal signal.
  explicit Core(const Code& code) {
    tree_.AddFile(
        "/p", tests::BasicElfBuilder<Class>().WithCode(code).WithData("some data").Build(), 0755);
    engine::BoxSpec spec;
    spec.argv = {"/p", "an argument"};
    spec.root = tree_.Root();
    box_ = std::move(*engine::Box::Make(spec, tree_, doors_));
    engine::BoxDebugger& debugger = box_->AttachDebugger(doors_);
    EXPECT_TRUE(debugger.Attach(0));
    Run();
    const auto begin = debugger.TakeEvent();
    engine::DebugResume go;
    go.thread = begin->thread;
    EXPECT_TRUE(debugger.Resume(std::span(&go, 1)));
    Run();
    stop_ = debugger.TakeEvent().value_or(DebugEvent{});
    CoreDump dump(debugger, 0, stop_.thread);
    std::uint64_t last = 0;
    for (bool end = false; !end;) {
      const CoreDump::Piece piece = dump.Next(kPieceBytes);
      EXPECT_LE(piece.data.size(), kPieceBytes);
      if (!piece.data.empty() || piece.end) {
        EXPECT_GE(piece.offset_bytes, last);
      }
      if (!piece.data.empty()) last = piece.offset_bytes + piece.data.size();
      sent_ += piece.data.size();
      if (!piece.data.empty()) pieces_[piece.offset_bytes] = piece.data;
      end = piece.end;
      if (end) size_ = piece.offset_bytes;
    }
    EXPECT_LE(last, size_);
    EXPECT_EQ(doors_.changes, 0);
    std::memcpy(&header_, Read(0, sizeof header_).data(), sizeof header_);
    for (std::size_t i = 0; i < header_.e_phnum; ++i) {
      typename Class::ProgramHeader segment;
      const std::string bytes = Read(header_.e_phoff + i * sizeof segment, sizeof segment);
      std::memcpy(&segment, bytes.data(), sizeof segment);
      segments_.push_back(segment);
    }
  }

  std::string Read(std::uint64_t offset, std::size_t size) const {
    std::string out(size, '\0');
    for (const auto& [at, data] : pieces_) {
      for (std::size_t i = 0; i < data.size(); ++i) {
        if (at + i >= offset && at + i < offset + size) out[at + i - offset] = data[i];
      }
    }
    return out;
  }
  std::string Memory(std::uint64_t address, std::size_t size) const {
    for (const auto& segment : segments_) {
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
          address - segment.p_vaddr < segment.p_filesz) {
        return Read(segment.p_offset + (address - segment.p_vaddr), size);
      }
    }
    return "nothing";
  }
  // Contents by owner and type, all of one type behind each other.
  std::map<std::pair<std::string, std::uint32_t>, std::string> Notes() const {
    std::map<std::pair<std::string, std::uint32_t>, std::string> notes;
    const auto& segment = segments_.front();
    EXPECT_EQ(segment.p_type, PT_NOTE);
    const std::string bytes = Read(segment.p_offset, segment.p_filesz);
    for (std::size_t at = 0; at < bytes.size();) {
      std::uint32_t words[3];
      std::memcpy(words, &bytes[at], sizeof words);
      at += sizeof words;
      const std::string name = bytes.substr(at, words[0] - 1);
      at += (words[0] + 3) / 4 * 4;
      notes[{name, words[2]}] += bytes.substr(at, words[1]);
      at += (words[1] + 3) / 4 * 4;
    }
    return notes;
  }
  void Run() {
    while (*box_->Run(engine::kNoLimit) == engine::RunState::kRunning) {
    }
  }

  Doors doors_;
  tests::MemoryTree tree_;
  std::unique_ptr<engine::Box> box_;
  DebugEvent stop_;
  std::map<std::uint64_t, std::string> pieces_;
  std::uint64_t size_ = 0;
  std::uint64_t sent_ = 0;
  typename Class::FileHeader header_{};
  std::vector<typename Class::ProgramHeader> segments_;
};

template <typename T>
T At(const std::string& bytes, std::size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

TEST(CoreDumpTest, ACrashedProgramHasItsNotesAndMemory) {
  using Builder = tests::ElfBuilder;
  const Core<tests::Elf64> core(Code().Move(3, 0x1234).Bytes({0x0f, 0x0b}));  // rbx; ud2
  EXPECT_EQ(core.header_.e_type, ET_CORE);
  EXPECT_EQ(core.header_.e_machine, EM_X86_64);
  auto notes = core.Notes();
  const std::string status = notes[{"CORE", NT_PRSTATUS}];
  ASSERT_EQ(status.size(), 336U);
  EXPECT_EQ(At<std::int32_t>(status, 0), 4);   // SIGILL
  EXPECT_EQ(At<std::int16_t>(status, 12), 4);  // cursig
  EXPECT_EQ(At<std::uint32_t>(status, 32), core.stop_.thread.tid);
  EXPECT_EQ(At<std::uint64_t>(status, 112 + 5 * 8), 0x1234U);  // rbx
  EXPECT_EQ(At<std::uint64_t>(status, 112 + 16 * 8), Builder::kCode + 10);
  const std::string info = notes[{"CORE", NT_PRPSINFO}];
  ASSERT_EQ(info.size(), 136U);
  EXPECT_STREQ(info.data() + 40, "p");
  EXPECT_STREQ(info.data() + 56, "/p an argument");
  EXPECT_EQ((notes[{"CORE", NT_SIGINFO}].size()), 128U);
  EXPECT_FALSE((notes[{"CORE", NT_AUXV}].empty()));
  EXPECT_EQ((notes[{"CORE", NT_PRFPREG}].size()), 512U);
  EXPECT_GE((notes[{"LINUX", NT_X86_XSTATE}].size()), 832U);
  EXPECT_EQ(notes.count({"LINUX", NT_PRXFPREG}), 0U);
  const std::string files = notes[{"CORE", NT_FILE}];
  EXPECT_GE(At<std::uint64_t>(files, 0), 1U);
  EXPECT_NE(files.find("/p"), std::string::npos);
  EXPECT_EQ(core.Memory(Builder::kData, 9), "some data");
  EXPECT_EQ(core.Memory(Builder::kCode + 10, 2), "\x0f\x0b");
}

TEST(CoreDumpTest, TheI386FormHasItsOwnSizes) {
  const Core<tests::Elf32> core(Code().Bytes({0xbb, 0x34, 0x12, 0, 0, 0x0f, 0x0b}));
  EXPECT_EQ(core.header_.e_machine, EM_386);
  auto notes = core.Notes();
  const std::string status = notes[{"CORE", NT_PRSTATUS}];
  ASSERT_EQ(status.size(), 144U);
  EXPECT_EQ(At<std::int16_t>(status, 12), 4);
  EXPECT_EQ(At<std::uint32_t>(status, 72), 0x1234U);  // ebx
  EXPECT_EQ(At<std::uint32_t>(status, 72 + 12 * 4),
            tests::BasicElfBuilder<tests::Elf32>::kCode + 5);
  EXPECT_EQ((notes[{"CORE", NT_PRPSINFO}].size()), 124U);
  EXPECT_EQ((notes[{"CORE", NT_PRFPREG}].size()), 108U);
  EXPECT_EQ((notes[{"LINUX", NT_PRXFPREG}].size()), 512U);
  EXPECT_EQ(core.Memory(tests::BasicElfBuilder<tests::Elf32>::kData, 9), "some data");
}

// mmap of 4 GiB at kFar; a byte at its 3 GiB; ud2.
TEST(CoreDumpTest, WhatWasNeverWrittenIsNotInTheFile) {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  const Core<tests::Elf64> core(
      Code()
          .Syscall(kMmap, {kFar, 4 * kGiB, 3, kPrivateAnonymousFixed, ~std::uint64_t{0}, 0})
          .Move(7, kFar + 3 * kGiB)
          .Bytes({0xc6, 0x07, 0x5a})  // mov byte [rdi], 0x5a
          .Bytes({0x0f, 0x0b}));
  EXPECT_EQ(core.Memory(kFar + 3 * kGiB, 2), std::string("\x5a\0", 2));
  EXPECT_EQ(core.Memory(kFar, 2), "nothing");
  EXPECT_LT(core.sent_, 1U << 20);
  EXPECT_LT(core.size_, kGiB);
  std::uint64_t mapped = 0;
  for (const auto& segment : core.segments_) {
    if (segment.p_vaddr >= kFar && segment.p_vaddr < kFar + 4 * kGiB) mapped += segment.p_memsz;
  }
  EXPECT_EQ(mapped, 4 * kGiB);
}

TEST(CoreDumpTest, NoProcessGivesNoCore) {
  Core<tests::Elf64> core(Code().Syscall(kExitGroup, {1}));
  engine::BoxDebugger& debugger = core.box_->AttachDebugger(core.doors_);
  EXPECT_TRUE(CoreDump(debugger, 0, {}).empty());
  EXPECT_TRUE(CoreDump(debugger, 77, {}).empty());
}

}  // namespace
}  // namespace glovebox::worker
