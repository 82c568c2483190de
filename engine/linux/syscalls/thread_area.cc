// Thread-local storage of i386 programs: set_thread_area(2), get_thread_area(2). Three entries of
// the descriptor table belong to the thread. Source: arch/x86/kernel/tls.c of Linux 6.1.
#include "engine/linux/syscalls/thread_area.h"

#include <optional>

#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

using abi::i386::UserDescriptor;

constexpr std::uint32_t kFirstEntry = 12;  // GDT_ENTRY_TLS_MIN of 64-bit kernels
constexpr std::uint32_t kEntries = 3;
constexpr std::uint32_t kAnyEntry = ~0u;

// UserDescriptor::flags.
enum UserDescriptorFlag : std::uint32_t {
  kSegment32 = 1 << 0,
  kContents = 3 << 1,  // data, data that grows down, code
  kReadExecOnly = 1 << 3,
  kLimitInPages = 1 << 4,
  kNotPresent = 1 << 5,
  kUseable = 1 << 6,
};
constexpr std::uint32_t kContentsShift = 1;

// A descriptor as the table holds it: Intel SDM vol. 3A, 3.4.5, figure 3-8.
enum DescriptorBit : int {
  kBaseLow = 16,
  kAccessed = 40,
  kWritable = 41,
  kType = 42,  // two bits: grows down or conforming, code
  kIsSegment = 44,
  kPrivilege = 45,
  kPresent = 47,
  kLimitHigh = 48,
  kAvailable = 52,
  kDefault32 = 54,
  kGranularity = 55,
  kBaseHigh = 56,
};

constexpr std::uint64_t Bit(bool condition, int at) { return std::uint64_t{condition} << at; }

// The two spellings of "no entry": LDT_empty and LDT_zero.
bool IsEmpty(const UserDescriptor& info) {
  const std::uint32_t known = info.flags & (kUseable * 2 - 1);
  return info.base == 0 && info.limit == 0 &&
         (known == 0 || known == (kReadExecOnly | kNotPresent));
}

// tls_desc_okay: data segments of 32 bits that are present, which no user of a TLS needs more than.
bool IsAllowed(const UserDescriptor& info) {
  if (IsEmpty(info)) return true;
  const std::uint32_t contents = (info.flags & kContents) >> kContentsShift;
  return (info.flags & kSegment32) != 0 && contents <= 1 && (info.flags & kNotPresent) == 0;
}

std::uint64_t ToDescriptor(const UserDescriptor& info) {
  if (IsEmpty(info)) return 0;
  constexpr std::uint64_t kUserPrivilege = 3;
  const std::uint64_t contents = (info.flags & kContents) >> kContentsShift;
  return (info.limit & 0xffff) | std::uint64_t{info.base & 0xffffff} << kBaseLow |
         Bit(true, kAccessed) | Bit((info.flags & kReadExecOnly) == 0, kWritable) |
         contents << kType | Bit(true, kIsSegment) | kUserPrivilege << kPrivilege |
         Bit((info.flags & kNotPresent) == 0, kPresent) |
         std::uint64_t{(info.limit >> 16) & 0xf} << kLimitHigh |
         Bit((info.flags & kUseable) != 0, kAvailable) |
         Bit((info.flags & kSegment32) != 0, kDefault32) |
         Bit((info.flags & kLimitInPages) != 0, kGranularity) |
         std::uint64_t{info.base >> 24} << kBaseHigh;
}

UserDescriptor FromDescriptor(std::uint32_t entry, std::uint64_t descriptor) {
  const auto flag = [descriptor](int at, std::uint32_t when_set, std::uint32_t when_clear = 0) {
    return (descriptor >> at & 1) != 0 ? when_set : when_clear;
  };
  UserDescriptor info{};
  info.entry = entry;
  info.base = static_cast<std::uint32_t>((descriptor >> kBaseLow & 0xffffff) |
                                         (descriptor >> kBaseHigh & 0xff) << 24);
  info.limit =
      static_cast<std::uint32_t>((descriptor & 0xffff) | (descriptor >> kLimitHigh & 0xf) << 16);
  info.flags = flag(kDefault32, kSegment32) | flag(kWritable, 0, kReadExecOnly) |
               flag(kGranularity, kLimitInPages) | flag(kPresent, 0, kNotPresent) |
               flag(kAvailable, kUseable) |
               static_cast<std::uint32_t>(descriptor >> kType & 3) << kContentsShift;
  return info;
}

std::optional<std::uint32_t> FreeEntry(const x86::Vcpu& cpu) {
  for (std::uint32_t i = 0; i < kEntries; ++i) {
    if (cpu.TlsDescriptor(i) == 0) return kFirstEntry + i;
  }
  return std::nullopt;
}

bool IsEntry(std::uint32_t entry) { return entry >= kFirstEntry && entry < kFirstEntry + kEntries; }

}  // namespace

Result<ThreadDescriptor, Errno> ReadThreadDescriptor(Task& task, GuestPtr<UserDescriptor> from) {
  const auto info = task.memory().Read(from);
  if (!info) return std::unexpected(info.error());
  if (!IsAllowed(*info) || !IsEntry(info->entry)) return std::unexpected(kEINVAL);
  return ThreadDescriptor{info->entry - kFirstEntry, ToDescriptor(*info)};
}

void SetThreadDescriptor(x86::Vcpu& cpu, const ThreadDescriptor& descriptor) {
  cpu.SetTlsDescriptor(descriptor.index, descriptor.value);
  const auto selector = static_cast<std::uint16_t>((kFirstEntry + descriptor.index) << 3 | 3);
  for (const auto reg : {x86::kDs, x86::kEs, x86::kFs, x86::kGs}) {
    if (cpu.selector(reg) == selector && !cpu.LoadSegment(reg, selector)) cpu.LoadSegment(reg, 0);
  }
}

SyscallResult SysSetThreadArea(Task& task, GuestPtr<UserDescriptor> descriptor) {
  auto info = task.memory().Read(descriptor);
  if (!info) return info.error();
  if (!IsAllowed(*info)) return kEINVAL;
  x86::Vcpu& cpu = task.cpu();
  if (info->entry == kAnyEntry) {
    const auto free = FreeEntry(cpu);
    if (!free) return kESRCH;
    info->entry = *free;
    const GuestPtr<std::uint32_t> number{descriptor.address};
    if (const auto ok = task.memory().Write(number, *free); !ok) return ok.error();
  }
  if (!IsEntry(info->entry)) return kEINVAL;
  SetThreadDescriptor(cpu, {info->entry - kFirstEntry, ToDescriptor(*info)});
  return 0;
}

std::optional<UserDescriptor> ReadThreadArea(const x86::Vcpu& cpu, std::uint32_t entry) {
  if (!IsEntry(entry)) return std::nullopt;
  return FromDescriptor(entry, cpu.TlsDescriptor(entry - kFirstEntry));
}

SyscallResult SysGetThreadArea(Task& task, GuestPtr<UserDescriptor> descriptor) {
  const auto asked = task.memory().Read(GuestPtr<const std::uint32_t>{descriptor.address});
  if (!asked) return asked.error();
  const auto held = ReadThreadArea(task.cpu(), *asked);
  return held ? FromResult(task.memory().Write(descriptor, *held)) : SyscallResult(kEINVAL);
}

}  // namespace glovebox::engine
