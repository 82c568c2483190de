// What a root has before anybody adds to it: directories only, owned by root, with mtime 0. The
// client's `run` and the engine's own runner build their roots on it, so the same command has the
// same root digest with both.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace glovebox::engine {

// Directories, owned by root, with mtime 0. Others that are made on the way to a file have mode
// 0755.
struct DefaultDirectory {
  std::string_view path;  // absolute, one name deep
  std::uint32_t mode;
  std::string_view reason;
};

inline constexpr std::array kDefaultRoot{
    DefaultDirectory{"/dev", 0755, "where the device files of the box appear"},
    DefaultDirectory{"/etc", 0755, "programs open files in it and take ENOENT for an answer"},
    DefaultDirectory{"/proc", 0755, "where the box's processes appear"},
    DefaultDirectory{"/root", 0700, "the home of uid 0"},
    DefaultDirectory{"/tmp", 01777, "scratch files"},
};

// The environment: what a job adds replaces an entry of the same name in its place, or follows in
// the order given.
inline constexpr std::array<std::string_view, 5> kDefaultEnvironment{
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "USER=root",
    "LANG=C.UTF-8",
    "TERM=dumb",
};

}  // namespace glovebox::engine
