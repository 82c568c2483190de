// A descriptor of the host's, closed by its holder. Guests never see one.
#pragma once

#include <unistd.h>

#include <utility>

namespace glovebox {

class HostFd {
 public:
  HostFd() = default;
  explicit HostFd(int fd) : fd_(fd) {}
  ~HostFd() { Reset(); }
  HostFd(HostFd&& other) noexcept : fd_(other.Release()) {}
  HostFd& operator=(HostFd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = other.Release();
    }
    return *this;
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

}  // namespace glovebox
