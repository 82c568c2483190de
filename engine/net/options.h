// Options of sockets: socket(7), ip(7), ipv6(7), tcp(7), udp(7), netlink(7).
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/net/constants.h"

namespace glovebox::engine::net {

// Whose sockets have an option.
enum OptionScope : std::uint8_t {
  kForUnix = 1,
  kForTcp = 2,
  kForUdp = 4,
  kForNetlink = 8,
  kForInet = kForTcp | kForUdp,
  kForAll = kForUnix | kForInet | kForNetlink,
};

enum class OptionRule : std::uint8_t {
  kSwitch,    // any number: 0, or 1
  kNumber,    // within the bounds, else EINVAL
  kClamped,   // forced into the bounds
  kReadOnly,  // ENOPROTOOPT when it is set
};

// An option that is one number. What it does, if anything, is where it is asked for; most of them
// tune what only a real network has.
struct OptionRow {
  int level;
  int number;
  std::string_view name;
  OptionScope scope;
  OptionRule rule;
  int initial;
  int least;
  int most;
};

// Null: no such option for sockets of that kind.
const OptionRow* FindOption(int level, int number, OptionScope scope);
// For traces; empty: unknown.
std::string_view OptionName(int level, int number);

class Options {
 public:
  explicit Options(OptionScope scope) : scope_(scope) {}

  OptionScope scope() const { return scope_; }
  // Of options that the scope has.
  int Get(int level, int number) const;
  bool IsOn(int level, int number) const { return Get(level, number) != 0; }
  void Put(int level, int number, int value) { changed_[{level, number}] = value; }
  // As setsockopt(2). Errors: ENOPROTOOPT, EINVAL.
  Result<void, Errno> Set(int level, int number, int value);

 private:
  OptionScope scope_;
  std::map<std::pair<int, int>, int> changed_;
};

}  // namespace glovebox::engine::net
