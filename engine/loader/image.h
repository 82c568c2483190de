// Puts files and programs into an address space.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/loader/elf.h"
#include "engine/loader/layout.h"
#include "engine/memory/address_space.h"
#include "engine/vfs/inode.h"

namespace glovebox::engine {

// mmap(2) of a regular file. A shared mapping that may be written, or of a file that the guest has
// changed, shows the memory of the file itself (vfs/shared_file.h). Else a file that the guest
// never wrote to is mapped straight from its blob, and of any other each page is copied when it is
// accessed first. `holder` lives as long as any part of the mapping. Errors: of AddressSpace::Map;
// kHostFailed where the file could not be read.
Result<GuestAddr, MapError> MapFile(AddressSpace& memory, RegularFile& file,
                                    std::uint64_t file_offset, MapRequest request,
                                    std::shared_ptr<const void> holder = nullptr);

struct LoadedImage {
  GuestAddr bias = 0;  // what is added to the addresses of the file
  GuestAddr entry = 0;
  GuestAddr header_table = 0;
  std::uint16_t header_count = 0;
  GuestAddr code_start = 0, code_end = 0, data_start = 0, data_end = 0;  // /proc/PID/stat
  GuestAddr brk_start = 0;                                               // page aligned
};

// Maps what ParseElf accepted. Errors leave the address space half filled: it is to be thrown away.
LoadResult<LoadedImage> MapImage(AddressSpace& memory, RegularFile& file, const ElfImage& image,
                                 const AddressLayout& layout, const std::string& path);

// Where a program interpreter goes: among the other mappings, as Linux places it. Before MapImage
// of the interpreter.
LoadResult<AddressLayout> LayoutOfInterpreter(AddressSpace& memory, const ElfImage& image,
                                              const AddressLayout& layout);

}  // namespace glovebox::engine
