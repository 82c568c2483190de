// Makes small static programs of both classes, sound ones and damaged ones, and the machine code of
// system calls.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace glovebox::tests {

// Machine code of a guest that mostly makes system calls with constant arguments.
class Code {
 public:
  Code& Bytes(std::initializer_list<int> bytes) {
    for (const int byte : bytes) text_.push_back(static_cast<char>(byte));
    return *this;
  }
  // mov r64, imm64. Registers by their encoding: 0 rax, 7 rdi, 6 rsi, 2 rdx, 10 r10, 8 r8, 9 r9.
  Code& Move(int reg, std::uint64_t value) {
    Bytes({0x48 | (reg >= 8 ? 1 : 0), 0xb8 | (reg & 7)});
    text_.append(reinterpret_cast<const char*>(&value), 8);
    return *this;
  }
  // At most six arguments. Ten bytes each, and two for the instruction.
  Code& Syscall(std::uint64_t number, const std::vector<std::uint64_t>& arguments = {}) {
    constexpr int kRegisters[] = {7, 6, 2, 10, 8, 9};
    for (std::size_t i = 0; i < arguments.size(); ++i) Move(kRegisters[i], arguments[i]);
    return Move(0, number).Bytes({0x0f, 0x05});
  }
  // Exits with the low byte of rax, the last call's result.
  Code& ExitWithResult() {
    return Bytes({0x48, 0x89, 0xc7})
        .Bytes({0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05});  // mov rdi,rax; mov eax,231; syscall
  }
  Code& LoopForEver() { return Bytes({0xeb, 0xfe}); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// The classes: types of the headers, and what they say of themselves.
struct Elf64 {
  using FileHeader = Elf64_Ehdr;
  using ProgramHeader = Elf64_Phdr;
  static constexpr unsigned char kClass = ELFCLASS64;
  static constexpr unsigned char kMachine = EM_X86_64;
  static constexpr std::uint8_t kWordBytes = 8;
};
struct Elf32 {
  using FileHeader = Elf32_Ehdr;
  using ProgramHeader = Elf32_Phdr;
  static constexpr unsigned char kClass = ELFCLASS32;
  static constexpr unsigned char kMachine = EM_386;
  static constexpr std::uint8_t kWordBytes = 4;
};

// One segment, readable, writable and executable, that holds the headers, the code and the data.
template <typename Class>
class BasicElfBuilder {
 public:
  static constexpr std::uint32_t kBase = 0x400000;
  static constexpr std::uint32_t kCode = kBase + 0x1000;
  static constexpr std::uint32_t kData = kBase + 0x2000;

  BasicElfBuilder() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = Class::kClass;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = Class::kMachine;
    header.e_version = EV_CURRENT;
    header.e_entry = kCode;
    header.e_phoff = sizeof(header);
    header.e_ehsize = sizeof(header);
    header.e_phentsize = sizeof(typename Class::ProgramHeader);
    header.e_phnum = 1;
    typename Class::ProgramHeader load{};
    load.p_type = PT_LOAD;
    load.p_flags = PF_R | PF_W | PF_X;
    load.p_vaddr = load.p_paddr = kBase;
    load.p_filesz = load.p_memsz = 0x3000;
    load.p_align = 0x1000;
    segments.push_back(load);
  }

  BasicElfBuilder& WithCode(const Code& code) {
    code_ = code.text();
    return *this;
  }
  BasicElfBuilder& WithData(std::string_view data) {
    data_ = data;
    return *this;
  }

  // The file: headers at 0, code at 0x1000, data at 0x2000, 0x3000 bytes in all.
  std::string Build() const {
    std::string file(0x3000, '\0');
    std::memcpy(file.data(), &header, sizeof header);
    std::memcpy(file.data() + sizeof header, segments.data(),
                segments.size() * sizeof(typename Class::ProgramHeader));
    file.replace(0x1000, code_.size(), code_);
    file.replace(0x2000, data_.size(), data_);
    return file;
  }

  typename Class::FileHeader header{};
  std::vector<typename Class::ProgramHeader> segments;

 private:
  std::string code_;
  std::string data_;
};
using ElfBuilder = BasicElfBuilder<Elf64>;

}  // namespace glovebox::tests
