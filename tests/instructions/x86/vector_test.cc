// Each file of vectors, on the host's CPU and on ours.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/instructions/x86/decoding.h"
#include "tests/instructions/x86/guest_machine.h"
#include "tests/instructions/x86/native_machine.h"
#include "tests/instructions/x86/vector_file.h"

namespace glovebox::engine::x86 {
namespace {

std::vector<std::string> VectorFiles() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(GLOVEBOX_VECTOR_DIRECTORY)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() == ".txt" && path.filename() != "CMakeLists.txt")
      names.push_back(path.stem());
  }
  std::ranges::sort(names);
  return names;
}

std::vector<Vector> Load(const std::string& name) {
  std::ifstream file(std::filesystem::path(GLOVEBOX_VECTOR_DIRECTORY) / (name + ".txt"));
  std::stringstream text;
  text << file.rdbuf();
  auto vectors = ParseVectors(text.view());
  if (!vectors) {
    ADD_FAILURE() << name << ".txt " << vectors.error();
    return {};
  }
  return *vectors;
}

class Vectors : public testing::TestWithParam<std::string> {};

TEST_P(Vectors, HoldOnTheHostAndOnOurs) {
  const std::vector<Vector> vectors = Load(GetParam());
  EXPECT_FALSE(vectors.empty());
  NativeMachine native;
  GuestMachine guest_long(CpuMode::kLong64);
  GuestMachine guest_protected(CpuMode::kProtected32);
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(testing::Message() << GetParam() << ".txt:" << vector.line << " " << vector.text);
    EXPECT_EQ(Disassemble(vector.mode, vector.code, vector.start.rip), vector.text);
    if (vector.mode == CpuMode::kLong64 || native.can_run_32bit()) {
      native.SetImage(vector.image);
      native.Place(vector.mode, vector.start.rip, vector.code);
      MachineState on_host = vector.start;
      native.Run(on_host, {});
      EXPECT_EQ(Mismatch(vector, on_host, native.data()), "") << "on the host";
    }
    GuestMachine& guest = vector.mode == CpuMode::kLong64 ? guest_long : guest_protected;
    guest.SetImage(vector.image);
    guest.Place(vector.start.rip, vector.code);
    for (const bool in_blocks : {false, true}) {
      guest.MarkDataChanged();
      MachineState on_ours = vector.start;
      guest.Run(on_ours, {}, in_blocks);
      EXPECT_EQ(Mismatch(vector, on_ours, guest.data()), "")
          << "on ours, in " << (in_blocks ? "blocks" : "steps");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Vectors, testing::ValuesIn(VectorFiles()),
                         [](const auto& file) { return file.param; });

TEST(VectorFile, RefusesWhatItCannotRead) {
  const auto error = [](std::string_view line) -> std::string {
    const auto vectors = ParseVectors(line);
    return vectors ? "accepted" : vectors.error();
  };
  EXPECT_EQ(error("nop"), "line 1: neither a vector nor a comment");
  EXPECT_EQ(error("# a comment\n[90] rax=1"),
            "line 2: not of the form [bytes] \"text\" start => end");
  EXPECT_EQ(error("[9z] \"nop\" =>"), "line 1: cannot read byte 9z");
  EXPECT_EQ(error("[90] \"nop\" rax=1 => eax=1"), "line 1: cannot read \"eax=1\"");
  EXPECT_EQ(error("[90] \"nop\" cf=2 =>"), "line 1: cannot read \"cf=2\"");
  EXPECT_EQ(error("[90] \"nop\" [10003fff]=0102 =>"), "line 1: cannot read \"[10003fff]=0102\"");
}

TEST(VectorFile, SeesADifference) {
  const auto vectors = ParseVectors("[90] \"nop\" rax=1 => rbx=2 cf=1 st1=3fff8000000000000000");
  ASSERT_TRUE(vectors.has_value());
  const MachineState actual = (*vectors)[0].start;
  EXPECT_EQ(Mismatch((*vectors)[0], actual, DataImage{}),
            "  rbx: expected 2, got 0\n  rflags: expected 1, got 0\n"
            "  st1: expected 0000000000003fff_8000000000000000, got "
            "0000000000000000_0000000000000000\n");
}

}  // namespace
}  // namespace glovebox::engine::x86
