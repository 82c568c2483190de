// A file of /proc that can be written: the text is a value.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/linux/proc_directory.h"

namespace glovebox::engine {

class SettingFile : public Inode {
 public:
  using Show = std::function<std::string()>;
  // Takes what was written, without the newline behind it. Errno{}: taken.
  using Take = std::function<Errno(std::string_view)>;
  SettingFile(std::shared_ptr<VfsServices> services, std::uint32_t mode, Show show, Take take)
      : Inode(std::move(services), kTypeRegular, mode, kProcDevice),
        show_(std::move(show)),
        take_(std::move(take)) {}
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;

  std::string Text() const { return show_(); }
  Errno Set(std::string_view text) const { return take_(text); }

 private:
  Show show_;
  Take take_;
};

inline void AddSetting(Directory& directory, const std::string& name, std::uint32_t mode,
                       SettingFile::Show show, SettingFile::Take take) {
  static_cast<void>(directory.Insert(
      name,
      std::make_shared<SettingFile>(directory.services(), mode, std::move(show), std::move(take))));
}

// A decimal number of `text`, which may have blanks around it. Empty: it is none.
std::optional<std::int64_t> ParseSetting(std::string_view text);

}  // namespace glovebox::engine
