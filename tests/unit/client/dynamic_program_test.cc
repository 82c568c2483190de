#include "client/tree/dynamic_program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "tests/unit/client/temp_dir.h"

namespace glovebox::client {
namespace {

std::vector<std::string> GuestPaths(const std::string& program, const std::string& guest) {
  const auto files = FindNeededFiles(program, guest);
  EXPECT_TRUE(files.has_value());
  std::vector<std::string> paths;
  if (files) {
    for (const NeededFile& file : *files) paths.push_back(file.guest_path);
  }
  return paths;
}

bool Has(const std::vector<std::string>& paths, std::string_view end) {
  return std::ranges::any_of(paths, [&](const std::string& path) { return path.ends_with(end); });
}

class DynamicProgramTest : public testing::Test {
 protected:
  // Compiles with the machine's C compiler.
  void Compile(const std::string& arguments) const {
    const std::string command = "cc " + arguments;
    ASSERT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT: a test's own command
  }

  TempDir dir;
};

TEST_F(DynamicProgramTest, AProgramOfTheMachineBringsInterpreterAndLibraries) {
  const auto paths = GuestPaths("/bin/ls", "/bin/ls");
  EXPECT_TRUE(Has(paths, "/lib64/ld-linux-x86-64.so.2"));
  EXPECT_TRUE(Has(paths, "/libc.so.6"));
  EXPECT_TRUE(Has(paths, "/libgcc_s.so.1"));
  EXPECT_FALSE(Has(paths, "/bin/ls"));
}

TEST_F(DynamicProgramTest, StaticProgramsAndOtherFilesNeedNothing) {
  EXPECT_TRUE(GuestPaths("/bin/busybox", "/b").empty());
  EXPECT_TRUE(GuestPaths(dir.Write("text", "no program"), "/t").empty());
  EXPECT_TRUE(GuestPaths(dir.Write("elf", std::string("\x7f"
                                                      "ELF\2\1\1 cut off")),
                         "/e")
                  .empty());
  EXPECT_TRUE(GuestPaths(dir.Write("empty", ""), "/e").empty());
}

TEST_F(DynamicProgramTest, AMissingProgramIsAnError) {
  const auto files = FindNeededFiles(dir.Path("none"), "/none");
  ASSERT_FALSE(files.has_value());
  EXPECT_EQ(files.error().reason, "FILE_NOT_FOUND");
}

TEST_F(DynamicProgramTest, AScriptBringsItsInterpreterAndWhatThatNeeds) {
  const auto paths = GuestPaths(dir.Write("script", "#! /bin/bash -e\necho hi\n"), "/s");
  ASSERT_FALSE(paths.empty());
  EXPECT_EQ(paths.front(), "/bin/bash");
  EXPECT_TRUE(Has(paths, "/libc.so.6"));
  EXPECT_TRUE(GuestPaths(dir.Write("odd", "#!/nonexistent/interpreter\n"), "/o").empty());
}

TEST_F(DynamicProgramTest, OriginIsTheProgramsDirectoryOnEitherSide) {
  dir.Write("lib/deep.c", "int deep(void) { return 7; }");
  dir.Write("lib/near.c", "int deep(void); int near(void) { return deep(); }");
  dir.Write("main.c", "int near(void); int main(void) { return near(); }");
  const std::string lib = dir.Path("lib");
  Compile("-shared -fPIC -o " + lib + "/libdeep.so " + lib + "/deep.c");
  Compile("-shared -fPIC -o " + lib + "/libnear.so " + lib + "/near.c -L" + lib +
          " -ldeep -Wl,-rpath,'$ORIGIN'");
  Compile("-o " + dir.Path("main") + " " + dir.Path("main.c") + " -L" + lib +
          " -lnear -Wl,-rpath,'${ORIGIN}/lib' -Wl,-rpath-link," + lib);
  const auto files = FindNeededFiles(dir.Path("main"), "/opt/main");
  ASSERT_TRUE(files.has_value());
  const auto near = std::ranges::find(*files, "/opt/lib/libnear.so", &NeededFile::guest_path);
  ASSERT_NE(near, files->end());
  EXPECT_EQ(near->host_path, lib + "/libnear.so");
  EXPECT_NE(std::ranges::find(*files, "/opt/lib/libdeep.so", &NeededFile::guest_path),
            files->end());
}

TEST_F(DynamicProgramTest, ALibraryThatTheMachineLacksIsLeftToTheGuestsLoader) {
  dir.Write("gone.c", "int gone(void) { return 1; }");
  dir.Write("main.c", "int gone(void); int main(void) { return gone(); }");
  Compile("-shared -fPIC -o " + dir.Path("libgone.so") + " " + dir.Path("gone.c"));
  Compile("-o " + dir.Path("main") + " " + dir.Path("main.c") + " " + dir.Path("libgone.so") +
          " -Wl,-soname,x");
  std::filesystem::remove(dir.Path("libgone.so"));
  const auto paths = GuestPaths(dir.Path("main"), "/main");
  EXPECT_FALSE(Has(paths, "libgone.so"));
  EXPECT_TRUE(Has(paths, "/libc.so.6"));
}

}  // namespace
}  // namespace glovebox::client
