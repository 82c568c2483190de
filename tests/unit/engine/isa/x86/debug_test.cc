// Breakpoints and watchpoints: where they stop, and that nothing else of a run changes by them.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <optional>
#include <vector>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

using Kind = DebugStop::Kind;

// Runs until something is met for a debugger; empty: until a system call.
std::optional<DebugStop> RunOn(Machine& machine, std::uint64_t slice = 1'000'000) {
  while (true) {
    const Stop stop = machine.cpu->Run(slice);
    if (const auto met = machine.cpu->TakeDebugStop()) return met;
    if (stop.kind == StopKind::kYield || stop.kind == StopKind::kBudget) continue;
    EXPECT_EQ(stop.kind, StopKind::kSyscall);
    return std::nullopt;
  }
}

void Watch(Machine& machine, WatchKind kind, GuestAddr address, std::uint64_t size_bytes) {
  machine.memory->SetWatches({{kind, address, size_bytes}});
}

// inc rax; dec rcx; jnz to the start; syscall
void CountingLoop(Machine& machine, std::uint64_t rounds) {
  machine.Code({0x48, 0xff, 0xc0, 0x48, 0xff, 0xc9, 0x75, 0xf8, 0x0f, 0x05});
  machine.cpu->SetGpr(kRcx, rounds);
}
constexpr GuestAddr kDec = kCode + 3;

TEST(Breakpoint, StopsBeforeItsInstructionEachTimeAtTheExactCount) {
  for (const std::uint64_t slice : {1, 2, 3, 7, 64, 1'000'000}) {
    Machine machine;
    CountingLoop(machine, 5);
    machine.cpu->SetBreakpoint(kDec);
    for (std::uint64_t round = 1; round <= 5; ++round) {
      const auto met = RunOn(machine, slice);
      ASSERT_TRUE(met) << slice;
      EXPECT_EQ(met->kind, Kind::kBreakpoint);
      EXPECT_EQ(machine.cpu->rip(), kDec);
      EXPECT_EQ(machine[kRax], round);
      EXPECT_EQ(machine.cpu->icount(), 3 * (round - 1) + 1);
      machine.cpu->PassBreakpoint();
    }
    EXPECT_FALSE(RunOn(machine, slice));
    EXPECT_EQ(machine.cpu->icount(), 16u);
  }
}

TEST(Breakpoint, StopsAgainWhereARunBeginsUnlessItIsPassed) {
  Machine machine;
  CountingLoop(machine, 1);
  machine.cpu->SetBreakpoint(kCode);
  EXPECT_TRUE(RunOn(machine));
  EXPECT_TRUE(RunOn(machine));
  EXPECT_EQ(machine.cpu->icount(), 0u);
  machine.cpu->PassBreakpoint();
  EXPECT_FALSE(RunOn(machine));
}

TEST(Breakpoint, ComesAndGoesInCodeThatHasRunBefore) {
  Machine machine;
  CountingLoop(machine, 1000);
  machine.Run(300);
  machine.cpu->SetBreakpoint(kDec);
  EXPECT_TRUE(RunOn(machine));
  EXPECT_EQ(machine.Peek<std::uint8_t>(kDec), 0x48);  // the guest's own byte
  machine.cpu->ClearBreakpoint(kDec);
  EXPECT_FALSE(RunOn(machine));
  EXPECT_EQ(machine.cpu->icount(), 3001u);
}

TEST(Breakpoint, ShowsFlagsThatTheInstructionBehindItWouldOverwrite) {
  Machine machine;
  // cmp eax, eax; add ebx, 1 (a breakpoint here); syscall
  machine.Code({0x39, 0xc0, 0x83, 0xc3, 0x01, 0x0f, 0x05});
  machine.Run(2);
  machine.cpu->SetRip(kCode);
  machine.cpu->SetGpr(kRbx, 0);
  machine.cpu->SetBreakpoint(kCode + 2);
  EXPECT_TRUE(RunOn(machine));
  EXPECT_EQ(machine.cpu->Get().rflags & kStatusFlags, kZf | kPf);
}

// Where debuggers let the functions return to that they call.
TEST(Breakpoint, IsMetWhereNothingCanBeExecuted) {
  for (const std::uint64_t slice : {1, 1'000'000}) {
    Machine machine;
    machine.Code({0xff, 0xe7});  // jmp rdi
    machine.cpu->SetGpr(kRdi, kData);
    machine.cpu->SetBreakpoint(kData);
    const auto met = RunOn(machine, slice);
    ASSERT_TRUE(met) << slice;
    EXPECT_EQ(met->kind, Kind::kBreakpoint);
    EXPECT_EQ(machine.cpu->rip(), kData);
    EXPECT_EQ(machine.cpu->icount(), 1u);
    machine.cpu->PassBreakpoint();
    EXPECT_EQ(machine.cpu->Run(slice).kind, StopKind::kMemoryFault);
    EXPECT_FALSE(machine.cpu->TakeDebugStop());
    EXPECT_EQ(machine.cpu->icount(), 1u);
  }
}

TEST(Breakpoint, InsideAnInstructionIsNeverMet) {
  Machine machine;
  CountingLoop(machine, 3);
  machine.cpu->SetBreakpoint(kDec + 1);
  EXPECT_FALSE(RunOn(machine));
}

TEST(Watchpoint, TellsOfAWriteBehindItAndOfNoNeighbour) {
  Machine machine;
  // mov [rdi], al; mov [rdi+1], ax; mov [rdi+3], al; syscall
  machine.Code({0x88, 0x07, 0x66, 0x89, 0x47, 0x01, 0x88, 0x47, 0x03, 0x0f, 0x05});
  machine.cpu->SetGpr(kRdi, kData + 100);
  machine.cpu->SetGpr(kRax, 0x5566);
  Watch(machine, WatchKind::kWrite, kData + 102, 1);
  const auto met = RunOn(machine);
  ASSERT_TRUE(met);
  EXPECT_EQ(met->kind, Kind::kWatchpoint);
  EXPECT_EQ(met->hit.kind, WatchKind::kWrite);
  EXPECT_EQ(met->hit.address, kData + 102);
  EXPECT_EQ(machine.cpu->rip(), kCode + 6);
  EXPECT_EQ(machine.cpu->icount(), 2u);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kData + 102), 0x55);
  EXPECT_FALSE(RunOn(machine));
  EXPECT_EQ(machine.cpu->icount(), 4u);
}

TEST(Watchpoint, OfReadsTellsOfLoadsAndOfWhatReadsAndWrites) {
  Machine machine;
  // mov [rdi], eax; add [rdi], eax; mov ebx, [rdi]; syscall
  machine.Code({0x89, 0x07, 0x01, 0x07, 0x8b, 0x1f, 0x0f, 0x05});
  machine.cpu->SetGpr(kRdi, kData);
  Watch(machine, WatchKind::kRead, kData, 4);
  ASSERT_TRUE(RunOn(machine));
  EXPECT_EQ(machine.cpu->rip(), kCode + 4);
  ASSERT_TRUE(RunOn(machine));
  EXPECT_EQ(machine.cpu->rip(), kCode + 6);
  EXPECT_FALSE(RunOn(machine));
}

TEST(Watchpoint, OfAccessesTellsOfBoth) {
  Machine machine;
  machine.Code({0x89, 0x07, 0x8b, 0x1f, 0x0f, 0x05});
  machine.cpu->SetGpr(kRdi, kData);
  Watch(machine, WatchKind::kAccess, kData + 3, 1);
  ASSERT_TRUE(RunOn(machine));
  EXPECT_EQ(machine.cpu->rip(), kCode + 2);
  ASSERT_TRUE(RunOn(machine));
  EXPECT_EQ(machine.cpu->rip(), kCode + 4);
  EXPECT_FALSE(RunOn(machine));
}

TEST(Watchpoint, SeesAnAccessThatStraddlesIntoItsPage) {
  Machine machine;
  machine.Code({0x48, 0x89, 0x07, 0x0f, 0x05});  // mov [rdi], rax
  machine.cpu->SetGpr(kRdi, kData + kPageSize - 4);
  Watch(machine, WatchKind::kWrite, kData + kPageSize + 3, 1);
  const auto met = RunOn(machine);
  ASSERT_TRUE(met);
  EXPECT_EQ(met->hit.address, kData + kPageSize + 3);
}

TEST(Watchpoint, SeesTheWholeWidthOfAVector) {
  Machine machine;
  machine.Code({0xc5, 0xfe, 0x7f, 0x07, 0x0f, 0x05});  // vmovdqu [rdi], ymm0
  machine.cpu->SetGpr(kRdi, kData);
  Watch(machine, WatchKind::kWrite, kData + 31, 1);
  EXPECT_TRUE(RunOn(machine));
  machine.cpu->SetRip(kCode);
  Watch(machine, WatchKind::kWrite, kData + 32, 1);
  EXPECT_FALSE(RunOn(machine));
}

TEST(Watchpoint, StopsARepeatedStoreAtItsIteration) {
  Machine machine;
  machine.Code({0xf3, 0xaa, 0x0f, 0x05});  // rep stosb
  machine.cpu->SetGpr(kRdi, kData);
  machine.cpu->SetGpr(kRcx, 100);
  machine.cpu->SetGpr(kRax, 7);
  Watch(machine, WatchKind::kWrite, kData + 40, 2);
  for (const std::uint64_t at : {40u, 41u}) {
    const auto met = RunOn(machine);
    ASSERT_TRUE(met);
    EXPECT_EQ(met->hit.address, kData + at);
    EXPECT_EQ(machine[kRdi], kData + at + 1);
    EXPECT_EQ(machine.cpu->icount(), at + 1);
  }
  EXPECT_FALSE(RunOn(machine));
  EXPECT_EQ(machine.cpu->icount(), 101u);
}

// What runs beside a watched byte at full speed stops at each element that touches it, and nowhere
// else, whichever way it goes and wherever its other pointer is.
TEST(Watchpoint, StopsRepeatedInstructionsAtEachElementThatTouchesIt) {
  struct Case {
    std::vector<std::uint8_t> code;
    std::uint64_t width;
    bool loads, stores;
  };
  const Case cases[] = {
      {{0xf3, 0xa4}, 1, true, true},        {{0xf3, 0x48, 0xa5}, 8, true, true},
      {{0xf3, 0xaa}, 1, false, true},       {{0xf3, 0xab}, 4, false, true},
      {{0xf3, 0x48, 0xad}, 8, true, false}, {{0x67, 0xf3, 0xa4}, 1, true, true},
  };
  constexpr std::uint64_t kCount = 120;
  constexpr GuestAddr kWatched = kData + 2001;
  constexpr std::uint64_t kWatchedBytes = 3;
  for (const Case& row : cases) {
    for (const bool down : {false, true}) {
      for (const std::uint64_t slice : {1, 7, 1'000'000}) {
        Machine machine;
        std::vector<std::uint8_t> code{static_cast<std::uint8_t>(down ? 0xfd : 0xfc)};
        code.insert(code.end(), row.code.begin(), row.code.end());
        code.insert(code.end(), {0x0f, 0x05});
        machine.Poke(kCode, code);
        // The source passes it early, the destination late.
        const std::uint64_t way = down ? ~std::uint64_t{0} : 1;
        const GuestAddr source = kWatched - way * 21 * row.width - 1;
        const GuestAddr destination = kWatched - way * 99 * row.width + 2;
        machine.cpu->SetGpr(kRsi, source);
        machine.cpu->SetGpr(kRdi, destination);
        machine.cpu->SetGpr(kRcx, kCount);
        Watch(machine, WatchKind::kAccess, kWatched, kWatchedBytes);
        std::vector<std::uint64_t> wanted, found;
        for (std::uint64_t i = 0; i < kCount; ++i) {
          const auto touches = [&](GuestAddr first) {
            const GuestAddr at = first + way * i * row.width;
            return at < kWatched + kWatchedBytes && kWatched < at + row.width;
          };
          if ((row.loads && touches(source)) || (row.stores && touches(destination)))
            wanted.push_back(i + 2);  // with the instruction before it
        }
        while (RunOn(machine, slice)) found.push_back(machine.cpu->icount());
        EXPECT_FALSE(wanted.empty());
        EXPECT_EQ(found, wanted) << row.width << row.loads << row.stores << down << slice;
        EXPECT_EQ(machine.cpu->icount(), kCount + 2);
      }
    }
  }
}

TEST(Watchpoint, OfReadsLetsAComparisonRunUpToIt) {
  Machine machine;
  machine.Code({0xf2, 0xae, 0x0f, 0x05});  // repne scasb
  machine.cpu->SetGpr(kRdi, kData);
  machine.cpu->SetGpr(kRcx, 3000);
  machine.cpu->SetGpr(kRax, 1);
  machine.Poke(kData + 2500, std::vector<std::uint8_t>{1});
  Watch(machine, WatchKind::kRead, kData + 1000, 1);
  ASSERT_TRUE(RunOn(machine));
  EXPECT_EQ(machine[kRdi], kData + 1001);
  EXPECT_FALSE(RunOn(machine));
  EXPECT_EQ(machine[kRdi], kData + 2501);
  EXPECT_EQ(machine.cpu->icount(), 2502u);
}

TEST(Watchpoint, SeesWhatCallsPush) {
  Machine machine;
  machine.Code({0xe8, 0x00, 0x00, 0x00, 0x00, 0x0f, 0x05});  // call to the next instruction
  Watch(machine, WatchKind::kWrite, machine[kRsp] - 8, 8);
  ASSERT_TRUE(RunOn(machine));
  EXPECT_EQ(machine.cpu->rip(), kCode + 5);
  EXPECT_EQ(machine.cpu->icount(), 1u);
  EXPECT_FALSE(RunOn(machine));
}

TEST(Watchpoint, SeesTheStoreOfCodeThatChangesItself) {
  Machine machine;
  // mov byte [rip+0], 0x90: overwrites the instruction behind it (inc eax's first byte)
  machine.Code({0xc6, 0x05, 0x00, 0x00, 0x00, 0x00, 0x90, 0x90, 0x90, 0x0f, 0x05});
  Watch(machine, WatchKind::kWrite, kCode + 7, 1);
  ASSERT_TRUE(RunOn(machine));
  EXPECT_EQ(machine.cpu->rip(), kCode + 7);
  EXPECT_FALSE(RunOn(machine));
}

// Stores, loads, calls, returns, pushes and read-modify-writes beside a watched byte.
void BusyLoop(Machine& machine) {
  machine.Code({0x48, 0x89, 0x0f,              // 00 mov [rdi], rcx
                0x48, 0x01, 0x4f, 0x08,        // 03 add [rdi+8], rcx
                0x53,                          // 07 push rbx
                0xe8, 0x0a, 0x00, 0x00, 0x00,  // 08 call 0x17
                0x5b,                          // 0d pop rbx
                0xff, 0xd6,                    // 0e call rsi
                0x48, 0xff, 0xc9,              // 10 dec rcx
                0x75, 0xeb,                    // 13 jnz 0
                0x0f, 0x05,                    // 15 syscall
                0x48, 0x03, 0x47, 0x08,        // 17 add rax, [rdi+8]
                0x48, 0x85, 0xc0,              // 1b test rax, rax
                0xc3});                        // 1e ret
  machine.cpu->SetGpr(kRcx, 2000);
  machine.cpu->SetGpr(kRsi, kCode + 0x17);
  machine.cpu->SetGpr(kRdi, kStackTop - 2048);
}

TEST(Watchpoint, ChangesNothingOfAProgramThatIsBusyBesideIt) {
  Machine plain;
  BusyLoop(plain);
  EXPECT_EQ(plain.Run().kind, StopKind::kSyscall);
  for (const WatchKind kind : {WatchKind::kWrite, WatchKind::kRead, WatchKind::kAccess}) {
    for (const std::uint64_t slice : {13, 1000, 1'000'000}) {
      Machine watched;
      BusyLoop(watched);
      Watch(watched, kind, kStackTop - 1024, 8);
      EXPECT_FALSE(RunOn(watched, slice));
      EXPECT_EQ(watched.cpu->icount(), plain.cpu->icount());
      EXPECT_EQ(watched[kRax], plain[kRax]);
      EXPECT_EQ(watched.cpu->Get().rflags, plain.cpu->Get().rflags);
      EXPECT_EQ(watched.meter.used_bytes(), plain.meter.used_bytes());
    }
  }
}

// An instruction that has touched what lies beside often enough is judged before it runs. It still
// stops when it comes to the byte, and to the next one that is watched from then on.
TEST(Watchpoint, IsMetByWhatHasLongBeenBesideIt) {
  struct Case {
    std::vector<std::uint8_t> code;
    WatchKind kind;
  };
  const Case cases[] = {
      {{0x48, 0x89, 0x0c, 0xcf}, WatchKind::kWrite},         // mov [rdi+rcx*8], rcx
      {{0x48, 0x8b, 0x04, 0xcf}, WatchKind::kRead},          // mov rax, [rdi+rcx*8]
      {{0x48, 0x01, 0x0c, 0xcf}, WatchKind::kAccess},        // add [rdi+rcx*8], rcx
      {{0x48, 0x39, 0x4c, 0xcf, 0x00}, WatchKind::kAccess},  // cmp [rdi+rcx*8+0], rcx
  };
  for (const Case& row : cases) {
    for (const std::uint64_t slice : {50, 1'000'000}) {
      Machine machine;
      std::vector<std::uint8_t> code = row.code;
      const auto back = static_cast<std::uint8_t>(-static_cast<int>(code.size() + 5));
      code.insert(code.end(), {0x48, 0xff, 0xc9, 0x75, back, 0x0f, 0x05});  // dec rcx; jnz; syscall
      machine.Poke(kCode, code);
      machine.cpu->SetGpr(kRdi, kData);
      machine.cpu->SetGpr(kRcx, 500);
      for (const std::uint64_t at : {100u, 50u}) {
        Watch(machine, row.kind, kData + 8 * at + 3, 1);
        const auto met = RunOn(machine, slice);
        ASSERT_TRUE(met);
        EXPECT_EQ(met->hit.address, kData + 8 * at + 3);
        EXPECT_EQ(machine[kRcx], at);
        EXPECT_EQ(machine.cpu->icount(), (500 - at) * 3 + 1);
      }
      machine.memory->SetWatches({});
      EXPECT_FALSE(RunOn(machine, slice));
      EXPECT_EQ(machine.cpu->icount(), 1501u);
    }
  }
}

TEST(Watchpoint, ThatIsGoneLeavesThePageAsItWas) {
  Machine machine;
  BusyLoop(machine);
  machine.Run(100);
  std::vector<std::uint8_t> before(machine.memory->flags(), machine.memory->flags() + 0x40);
  Watch(machine, WatchKind::kAccess, kStackTop - 1024, 8);
  EXPECT_NE(machine.memory->flags()[(kStackTop - 1024) >> kPageShift],
            before[(kStackTop - 1024) >> kPageShift]);
  machine.memory->SetWatches({});
  EXPECT_EQ(std::vector<std::uint8_t>(machine.memory->flags(), machine.memory->flags() + 0x40),
            before);
}

// The host has something where the space wants to go on, in the midst of an instruction that runs
// beside what is watched and begins at a breakpoint.
TEST(Watchpoint, OutsideOfTheWindowStaysWhenTheSpaceGoesElsewhere) {
  constexpr GuestAddr kFar = 0x6000'0000'0000;
  constexpr GuestAddr kFarther = kFar + 2 * HostPlace::kUnitBytes;
  for (const std::uint64_t slice : {1, 1'000'000}) {
    Machine machine;
    machine.cpu.reset();
    machine.memory =
        AddressSpace::Make({.max_mappings = 100, .address_end = 0x7fff'ffff'f000}, machine.meter)
            .value();
    machine.Map(kCode, kPageSize, kReadWrite | kProtExec);
    machine.Map(kFar, 4 * HostPlace::kUnitBytes, kReadWrite);
    machine.cpu = std::make_unique<Vcpu>(*machine.memory, CpuMode::kLong64);
    machine.cpu->SetRip(kCode);
    // mov [rsi], al; movsq; mov bl, [rsi+0x38]; syscall
    machine.Code({0x88, 0x06, 0x48, 0xa5, 0x8a, 0x5e, 0x38, 0x0f, 0x05});
    machine.cpu->SetGpr(kRax, 0x5a);
    machine.cpu->SetGpr(kRsi, kFar);
    machine.cpu->SetGpr(kRdi, kFarther);
    machine.Poke(kFar + 0x40, std::vector<std::uint8_t>{0x77});
    Watch(machine, WatchKind::kAccess, kFar + 0x40, 1);
    machine.cpu->SetBreakpoint(kCode + 2);
    std::byte* const base = machine.memory->base();
    std::byte* const wanted = machine.memory->Host(kFarther);
    ASSERT_EQ(::mmap(wanted, kPageSize, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
              wanted);

    auto met = RunOn(machine, slice);
    ASSERT_TRUE(met);
    EXPECT_EQ(met->kind, Kind::kBreakpoint);
    machine.cpu->PassBreakpoint();
    met = RunOn(machine, slice);
    ::munmap(wanted, kPageSize);
    ASSERT_TRUE(met);
    EXPECT_NE(machine.memory->base(), base);
    EXPECT_EQ(met->kind, Kind::kWatchpoint);
    EXPECT_EQ(met->hit.address, kFar + 0x40);
    EXPECT_EQ(machine.cpu->rip(), kCode + 7);
    EXPECT_EQ(machine.cpu->icount(), 3u);
    EXPECT_EQ(machine[kRbx], 0x77u);
    EXPECT_EQ(machine.Peek<std::uint64_t>(kFarther), 0x5au);
    EXPECT_FALSE(RunOn(machine, slice));
    EXPECT_EQ(machine.cpu->icount(), 4u);
  }
}

TEST(Watchpoint, TellsOfCopies) {
  Machine machine;
  Watch(machine, WatchKind::kWrite, kData + 10, 1);
  const std::vector<std::byte> bytes(20);
  machine.memory->CopyOut(kData + 11, bytes);
  EXPECT_FALSE(machine.memory->TakeCopyHit());
  machine.memory->CopyOut(kData, bytes);
  const auto hit = machine.memory->TakeCopyHit();
  ASSERT_TRUE(hit);
  EXPECT_EQ(hit->address, kData + 10);
  EXPECT_FALSE(machine.memory->TakeCopyHit());
}

TEST(Inspect, ShowsMemoryWithoutTouchingIt) {
  Machine machine;
  const std::uint64_t used = machine.meter.used_bytes();
  std::vector<std::byte> bytes(3 * kPageSize);
  EXPECT_EQ(machine.memory->Inspect(bytes, kData + 2 * kPageSize), 2 * kPageSize);
  EXPECT_EQ(machine.meter.used_bytes(), used);
  EXPECT_EQ(machine.memory->flags()[kData >> kPageShift], 0);
}

}  // namespace
}  // namespace glovebox::engine::x86
