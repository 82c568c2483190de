// Tables of numbers that are gdb's own.
#include <gtest/gtest.h>

#include "gdbstub/crc.h"
#include "gdbstub/file_io.h"
#include "gdbstub/hex.h"
#include "gdbstub/signals.h"
#include "gdbstub/target_description.h"
#include "gdbstub/xml.h"

namespace glovebox::gdbstub {
namespace {

TEST(SignalsTest, EverySignalOfLinuxComesBack) {
  for (int signal = 0; signal <= 64; ++signal) {
    if (signal == 16) continue;  // SIGSTKFLT, for which gdb has no number
    EXPECT_EQ(LinuxSignal(GdbSignal(signal)), signal);
  }
  EXPECT_EQ(GdbSignal(16), kGdbSignalUnknown);
  EXPECT_EQ(GdbSignal(10), 30);  // SIGUSR1
  EXPECT_EQ(GdbSignal(34), 46);  // SIG34
  EXPECT_EQ(LinuxSignal(44), -1);
  EXPECT_EQ(LinuxSignal(kGdbSignalUnknown), -1);
  EXPECT_EQ(GdbSignal(65), kGdbSignalUnknown);
  EXPECT_EQ(GdbSignal(-1), kGdbSignalUnknown);
}

TEST(CrcTest, OfTheUsualNineBytes) {
  EXPECT_EQ(Crc32(kCrcStart, AsBytes("123456789")), 0x0376e6e7U);
}

TEST(FileIoTest, NumbersAreTheProtocols) {
  EXPECT_EQ(FileIoErrno(engine::kENOENT), 2U);
  EXPECT_EQ(FileIoErrno(engine::kENAMETOOLONG), 91U);
  EXPECT_EQ(FileIoErrno(engine::kELOOP), 9999U);
  EXPECT_EQ(LinuxOpenFlags(0x602), 01102U);  // O_RDWR|O_CREAT|O_TRUNC
  EXPECT_EQ(LinuxOpenFlags(0x3), std::nullopt);
  EXPECT_EQ(LinuxOpenFlags(0x1000), std::nullopt);
}

TEST(FileIoTest, StatIsBigEndian) {
  FileStatus status;
  status.size = 0x1234;
  status.mode = 0100755;
  const std::string bytes = FileIoStat(status);
  ASSERT_EQ(bytes.size(), 64U);
  EXPECT_EQ(HexOf(bytes.substr(8, 4)), "000081ed");
  EXPECT_EQ(HexOf(bytes.substr(28, 8)), "0000000000001234");
}

TEST(ArchitectureTest, RegistersLieBehindEachOther) {
  for (const Architecture architecture : {Architecture::kAmd64, Architecture::kI386}) {
    const RegisterLayout& layout = LayoutOf(architecture);
    std::size_t offset = 0;
    for (const RegisterRow& row : layout.rows) {
      EXPECT_EQ(row.offset, offset) << row.name;
      offset += row.size_bytes();
    }
    EXPECT_EQ(layout.size_bytes, offset);
  }
  // gdb's own size of a 'g' packet for x86-64 with AVX.
  EXPECT_EQ(LayoutOf(Architecture::kAmd64).size_bytes, 816U);
}

TEST(TargetDescriptionTest, FeaturesStandInOnePieceEach) {
  const std::string xml = TargetXml(Architecture::kAmd64);
  for (const char* feature : {"core", "sse", "linux", "segments", "avx"}) {
    const std::string tag = std::string("<feature name=\"org.gnu.gdb.i386.") + feature + "\"";
    const std::size_t first = xml.find(tag);
    EXPECT_NE(first, std::string::npos) << feature;
    EXPECT_EQ(xml.find(tag, first + 1), std::string::npos) << feature;
  }
}

TEST(XmlTest, NamesOfGuestsDoNotBreakOut) {
  EXPECT_EQ(XmlText("a<b>&\"'\x01\xff"), "a&lt;b&gt;&amp;&quot;&apos;??");
}

}  // namespace
}  // namespace glovebox::gdbstub
