// Makes small static x86-64 programs, sound ones and damaged ones, and the machine code of system
// calls.
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

// One segment, readable, writable and executable, that holds the headers, the code and the data.
class ElfBuilder {
 public:
  static constexpr std::uint64_t kBase = 0x400000;
  static constexpr std::uint64_t kCode = kBase + 0x1000;
  static constexpr std::uint64_t kData = kBase + 0x2000;

  ElfBuilder() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_entry = kCode;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr load{};
    load.p_type = PT_LOAD;
    load.p_flags = PF_R | PF_W | PF_X;
    load.p_vaddr = load.p_paddr = kBase;
    load.p_filesz = load.p_memsz = 0x3000;
    load.p_align = 0x1000;
    segments.push_back(load);
  }

  ElfBuilder& WithCode(const Code& code) {
    code_ = code.text();
    return *this;
  }
  ElfBuilder& WithData(std::string_view data) {
    data_ = data;
    return *this;
  }

  // The file: headers at 0, code at 0x1000, data at 0x2000, 0x3000 bytes in all.
  std::string Build() const {
    std::string file(0x3000, '\0');
    std::memcpy(file.data(), &header, sizeof header);
    std::memcpy(file.data() + sizeof header, segments.data(), segments.size() * sizeof(Elf64_Phdr));
    file.replace(0x1000, code_.size(), code_);
    file.replace(0x2000, data_.size(), data_);
    return file;
  }

  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;

 private:
  std::string code_;
  std::string data_;
};

}  // namespace glovebox::tests
