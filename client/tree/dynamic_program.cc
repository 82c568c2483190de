#include "client/tree/dynamic_program.h"

#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "client/tree/guest_path.h"
#include "client/tree/host_file.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kMaxObjects = 1024;
constexpr int kMaxScripts = 5;  // as execve(2) follows them
constexpr std::size_t kScriptHeadBytes = 256;
constexpr std::string_view kCache = "/etc/ld.so.cache";

// What stands in an ELF file about other files.
struct Dependencies {
  std::string interpreter;
  std::vector<std::string> libraries;  // DT_NEEDED, in order
  std::string rpath;
  std::string runpath;
  bool i386 = false;
};

struct ElfEnd {
  void operator()(Elf* elf) const { ::elf_end(elf); }
};
using ElfHandle = std::unique_ptr<Elf, ElfEnd>;

std::string ReadInterpreter(int fd, const GElf_Phdr& row) {
  constexpr std::uint64_t kPathMax = 4096;
  std::string name(static_cast<std::size_t>(std::min<std::uint64_t>(row.p_filesz, kPathMax)), '\0');
  const ssize_t got = ::pread(fd, name.data(), name.size(), static_cast<off_t>(row.p_offset));
  name.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return name.substr(0, name.find('\0'));
}

void ReadDynamic(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, Dependencies& out) {
  Elf_Data* const data = ::elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return;
  for (std::size_t i = 0; i < header.sh_size / header.sh_entsize; ++i) {
    GElf_Dyn row;
    if (::gelf_getdyn(data, static_cast<int>(i), &row) == nullptr || row.d_tag == DT_NULL) return;
    const bool names = row.d_tag == DT_NEEDED || row.d_tag == DT_RPATH || row.d_tag == DT_RUNPATH;
    const char* const text =
        names ? ::elf_strptr(elf, header.sh_link, static_cast<std::size_t>(row.d_un.d_val))
              : nullptr;
    if (text == nullptr) continue;
    if (row.d_tag == DT_NEEDED) out.libraries.emplace_back(text);
    if (row.d_tag == DT_RPATH) out.rpath = text;
    if (row.d_tag == DT_RUNPATH) out.runpath = text;
  }
}

// Empty: no ELF file for x86.
std::optional<Dependencies> ReadDependencies(int fd) {
  static const bool ready = ::elf_version(EV_CURRENT) != EV_NONE;
  if (!ready) return std::nullopt;
  const ElfHandle elf(::elf_begin(fd, ELF_C_READ, nullptr));
  GElf_Ehdr header;
  if (!elf || ::elf_kind(elf.get()) != ELF_K_ELF || ::gelf_getehdr(elf.get(), &header) == nullptr)
    return std::nullopt;
  if (header.e_machine != EM_X86_64 && header.e_machine != EM_386) return std::nullopt;
  Dependencies out;
  out.i386 = header.e_machine == EM_386;
  std::size_t count = 0;
  if (::elf_getphdrnum(elf.get(), &count) != 0) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr row;
    if (::gelf_getphdr(elf.get(), static_cast<int>(i), &row) == nullptr) break;
    if (row.p_type == PT_INTERP && out.interpreter.empty())
      out.interpreter = ReadInterpreter(fd, row);
  }
  for (Elf_Scn* section = ::elf_nextscn(elf.get(), nullptr); section != nullptr;
       section = ::elf_nextscn(elf.get(), section)) {
    GElf_Shdr row;
    if (::gelf_getshdr(section, &row) != nullptr && row.sh_type == SHT_DYNAMIC)
      ReadDynamic(elf.get(), section, row, out);
  }
  return out;
}

// The interpreter of a script; empty for anything else.
std::string ScriptInterpreter(int fd) {
  std::array<char, kScriptHeadBytes> head;
  const ssize_t got = ::pread(fd, head.data(), head.size(), 0);
  std::string_view line(head.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  if (!line.starts_with("#!")) return {};
  line = line.substr(2, line.find('\n') - 2);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return std::string(line.substr(0, line.find_first_of(" \t")));
}

bool IsFile(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// An object that is loaded, with the search paths that count for what it needs.
struct Object {
  NeededFile file;
  Dependencies needs;
};

class Search {
 public:
  Result<void, Error> AddProgram(std::string host, std::string guest) {
    for (int depth = 0; depth < kMaxScripts; ++depth) {
      const auto opened = OpenHostFile(host);
      if (!opened) return std::unexpected(opened.error());
      std::string script = ScriptInterpreter(opened->fd.get());
      if (!script.starts_with('/')) return AddObjects(std::move(host), std::move(guest));
      if (!IsFile(script)) return {};  // the box says that it is missing
      Take({script, script});
      host = guest = std::move(script);
    }
    return {};
  }

  std::vector<NeededFile> files;

 private:
  void Take(NeededFile file) {
    if (seen_.insert(file.guest_path).second) files.push_back(std::move(file));
  }

  Result<void, Error> AddObjects(std::string host, std::string guest) {
    std::deque<Object> queue;
    const auto read = [&](NeededFile file) -> Result<void, Error> {
      const auto opened = OpenHostFile(file.host_path);
      if (!opened) return std::unexpected(opened.error());
      if (auto needs = ReadDependencies(opened->fd.get()))
        queue.push_back({std::move(file), *std::move(needs)});
      return {};
    };
    if (auto ok = read({std::move(host), std::move(guest)}); !ok) return ok;
    if (queue.empty() || queue.front().needs.interpreter.empty()) return {};
    const Dependencies program = queue.front().needs;
    const std::string& loader = program.interpreter;
    if (!IsFile(loader)) return {};  // the box says that it is missing
    Take({loader, loader});
    if (loader.find("/ld-linux") != std::string::npos)
      queue.front().needs.libraries.emplace_back("libgcc_s.so.1");
    while (!queue.empty() && files.size() < kMaxObjects) {
      const Object object = std::move(queue.front());
      queue.pop_front();
      for (const std::string& name : object.needs.libraries) {
        auto found = Find(name, object, program);
        if (!found || seen_.contains(found->guest_path)) continue;
        Take(*found);
        if (auto ok = read(*std::move(found)); !ok) return ok;
      }
    }
    return {};
  }

  std::optional<NeededFile> Find(const std::string& name, const Object& object,
                                 const Dependencies& program) {
    if (name.find('/') != std::string::npos)
      return IsFile(name) ? std::optional(NeededFile{name, name}) : std::nullopt;
    // DT_RPATH of the object and of the program count where the object has no DT_RUNPATH.
    std::string paths = object.needs.runpath;
    if (paths.empty()) paths = object.needs.rpath + ":" + program.rpath;
    for (std::size_t start = 0; start <= paths.size();) {
      const std::size_t end = std::min(paths.find(':', start), paths.size());
      const std::string entry = paths.substr(start, end - start);
      start = end + 1;
      if (entry.empty()) continue;
      const NeededFile at{Expand(entry, object.file.host_path) + "/" + name,
                          Expand(entry, object.file.guest_path) + "/" + name};
      if (IsFile(at.host_path)) return at;
    }
    return FindByDefault(name, object.needs.i386);
  }

  static std::string Expand(std::string path, const std::string& object) {
    for (const std::string_view token :
         {std::string_view("${ORIGIN}"), std::string_view("$ORIGIN")}) {
      for (std::size_t at; (at = path.find(token)) != std::string::npos;)
        path.replace(at, token.size(), DirectoryOf(object));
    }
    return path;
  }

  // ld.so looks into these without a cache; directories of ld.so.conf are found through it only.
  std::optional<NeededFile> FindByDefault(const std::string& name, bool i386) {
    constexpr std::array<std::string_view, 4> k64{
        "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64"};
    constexpr std::array<std::string_view, 4> k32{"/lib/i386-linux-gnu", "/usr/lib/i386-linux-gnu",
                                                  "/lib32", "/usr/lib32"};
    constexpr std::array<std::string_view, 2> kBoth{"/lib", "/usr/lib"};
    constexpr std::array<std::string_view, 1> kConfigured{"/usr/local/lib"};
    const auto look = [&](const auto& directories) -> std::optional<NeededFile> {
      for (const std::string_view directory : directories) {
        const std::string path = std::string(directory) + "/" + name;
        if (IsFile(path) && IsFor(path, i386)) return NeededFile{path, path};
      }
      return std::nullopt;
    };
    if (auto found = look(i386 ? k32 : k64)) return found;
    if (auto found = look(kBoth)) return found;
    auto found = look(kConfigured);
    if (found && IsFile(std::string(kCache))) Take({std::string(kCache), std::string(kCache)});
    return found;
  }

  static bool IsFor(const std::string& path, bool i386) {
    const auto opened = OpenHostFile(path);
    if (!opened) return false;
    const auto needs = ReadDependencies(opened->fd.get());
    return needs && needs->i386 == i386;
  }

  std::set<std::string> seen_;
};

}  // namespace

Result<std::vector<NeededFile>, Error> FindNeededFiles(const std::string& program,
                                                       const std::string& guest_path) {
  Search search;
  if (const auto done = search.AddProgram(program, guest_path); !done)
    return std::unexpected(done.error());
  return std::move(search.files);
}

}  // namespace glovebox::client
