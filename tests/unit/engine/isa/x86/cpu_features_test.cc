// CPUID offers what is implemented, and what it offers is implemented: all opcodes are walked.
#include "engine/isa/x86/cpu_features.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/isa/x86/cpuid.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/xsave.h"
#include "engine/isa/x86/zydis_decode.h"

namespace glovebox::engine::x86 {
namespace {

using Bytes = std::vector<std::uint8_t>;

// What one mnemonic was decoded as.
struct Seen {
  std::set<ZydisISASet> sets;
  ZydisInstructionCategory category = ZYDIS_CATEGORY_INVALID;
  bool privileged = false;
};
using Mnemonics = std::map<ZydisMnemonic, Seen>;

// Every value of the ModRM byte that can name another instruction: registers, memory at [eax], and
// memory with an index, which gathers want.
const Bytes& ModrmBytes() {
  static const Bytes kAll = [] {
    Bytes all;
    for (int reg = 0; reg < 8; ++reg) {
      all.push_back(static_cast<std::uint8_t>(reg << 3));
      all.push_back(static_cast<std::uint8_t>(reg << 3 | 4));
    }
    for (int modrm = 0xc0; modrm < 0x100; ++modrm) all.push_back(static_cast<std::uint8_t>(modrm));
    return all;
  }();
  return kAll;
}

class Walk {
 public:
  explicit Walk(bool is_64bit) { EXPECT_TRUE(ZYAN_SUCCESS(InitDecoder(decoder_, is_64bit))); }

  // All opcodes of a map behind `prefix`.
  void Opcodes(const Bytes& prefix) {
    Bytes code = prefix;
    code.resize(prefix.size() + 12);  // displacement and immediate: zeros
    for (int opcode = 0; opcode < 0x100; ++opcode) {
      code[prefix.size()] = static_cast<std::uint8_t>(opcode);
      for (const std::uint8_t modrm : ModrmBytes()) {
        code[prefix.size() + 1] = modrm;
        Note(code);
      }
    }
  }

  const Mnemonics& seen() const { return seen_; }

 private:
  void Note(const Bytes& code) {
    ZydisDecodedInstruction instruction;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder_, nullptr, code.data(), code.size(),
                                                    &instruction))) {
      return;
    }
    const bool ours = instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
                      instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
    if (!ours) return;
    Seen& seen = seen_[instruction.mnemonic];
    seen.sets.insert(instruction.meta.isa_set);
    // MOVSD and CMPSD are each two instructions; either has a row.
    seen.category = instruction.meta.category;
    seen.privileged |= (instruction.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) != 0;
  }

  ZydisDecoder decoder_;
  Mnemonics seen_;
};

Mnemonics WalkAll(bool is_64bit) {
  Walk walk(is_64bit);
  const std::vector<Bytes> prefixes = {{}, {0x66}, {0xf2}, {0xf3}};
  const std::vector<Bytes> maps = {{}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
  for (const Bytes& prefix : prefixes) {
    for (const bool rex_w : {false, true}) {
      if (rex_w && !is_64bit) continue;
      for (const Bytes& map : maps) {
        Bytes bytes = prefix;
        if (rex_w) bytes.push_back(0x48);
        bytes.insert(bytes.end(), map.begin(), map.end());
        walk.Opcodes(bytes);
      }
    }
  }
  // VEX: map, then W, the register that is not named (1111b) or named, L, and the prefix.
  for (int map = 1; map <= 3; ++map) {
    for (int last = 0; last < 0x100; last += 1) {
      const int vvvv = last >> 3 & 15;
      if (vvvv != 15 && vvvv != 14) continue;
      walk.Opcodes({0xc4, static_cast<std::uint8_t>(0xe0 | map), static_cast<std::uint8_t>(last)});
    }
  }
  return walk.seen();
}

const Mnemonics& AllMnemonics() {
  static const Mnemonics kAll = [] {
    Mnemonics all = WalkAll(true);
    for (const auto& [mnemonic, seen] : WalkAll(false)) {
      Seen& both = all[mnemonic];
      both.sets.insert(seen.sets.begin(), seen.sets.end());
      both.category = seen.category;
      both.privileged |= seen.privileged;
    }
    return all;
  }();
  return kAll;
}

bool HasRow(ZydisMnemonic mnemonic) {
  return FindRow(mnemonic, ZYDIS_CATEGORY_INVALID) != nullptr ||
         FindRow(mnemonic, ZYDIS_CATEGORY_STRINGOP) != nullptr;
}

TEST(CpuFeatures, TheWalkFindsInstructionsOfEveryOfferedSet) {
  std::set<ZydisISASet> found;
  for (const auto& [mnemonic, seen] : AllMnemonics()) {
    found.insert(seen.sets.begin(), seen.sets.end());
  }
  for (const CpuFeature& feature : CpuFeatures()) {
    for (const ZydisISASet set : feature.instructions) {
      if (set == ZYDIS_ISA_SET_INVALID) break;
      EXPECT_TRUE(found.contains(set)) << feature.name;
    }
  }
  EXPECT_GT(AllMnemonics().size(), 900u);
}

TEST(CpuFeatures, EveryInstructionThatIsOfferedHasARow) {
  std::vector<std::string> missing;
  for (const auto& [mnemonic, seen] : AllMnemonics()) {
    const bool offered = std::ranges::any_of(seen.sets, IsOffered);
    if (offered && !seen.privileged && !HasRow(mnemonic)) {
      missing.emplace_back(ZydisMnemonicGetString(mnemonic));
    }
  }
  EXPECT_TRUE(missing.empty()) << fmt::format("{}", fmt::join(missing, " "));
}

// Hints that do nothing on a CPU without their extension, and what faults in user mode anyway.
bool IsHarmlessWithoutFeature(ZydisMnemonic mnemonic) {
  constexpr ZydisMnemonic kHints[] = {ZYDIS_MNEMONIC_ENDBR32,   ZYDIS_MNEMONIC_ENDBR64,
                                      ZYDIS_MNEMONIC_RDSSPD,    ZYDIS_MNEMONIC_RDSSPQ,
                                      ZYDIS_MNEMONIC_PREFETCHW, ZYDIS_MNEMONIC_PREFETCHWT1};
  return std::ranges::find(kHints, mnemonic) != std::end(kHints);
}

TEST(CpuFeatures, NoRowIsOfAFeatureThatIsNotOffered) {
  std::vector<std::string> foreign;
  for (const auto& rows : AllRows()) {
    for (const InstructionRow& row : rows) {
      const auto found = AllMnemonics().find(row.mnemonic);
      const std::string name = ZydisMnemonicGetString(row.mnemonic);
      if (found == AllMnemonics().end()) {
        foreign.push_back(name + " (not decoded)");
      } else if (!found->second.privileged && !IsHarmlessWithoutFeature(row.mnemonic) &&
                 std::ranges::none_of(found->second.sets, IsOffered)) {
        foreign.push_back(name);
      }
    }
  }
  EXPECT_TRUE(foreign.empty()) << fmt::format("{}", fmt::join(foreign, " "));
}

TEST(CpuFeatures, CpuidShowsThemAndNothingElse) {
  const std::map<FeatureWord, std::uint32_t> words = {
      {FeatureWord::k1Edx, Cpuid(1, 0).edx},
      {FeatureWord::k1Ecx, Cpuid(1, 0).ecx},
      {FeatureWord::k7Ebx, Cpuid(7, 0).ebx},
      {FeatureWord::k7Ecx, Cpuid(7, 0).ecx},
      {FeatureWord::kD1Eax, Cpuid(0xd, 1).eax},
      {FeatureWord::k80000001Edx, Cpuid(0x80000001, 0).edx},
      {FeatureWord::k80000001Ecx, Cpuid(0x80000001, 0).ecx},
  };
  auto left = words;
  for (const CpuFeature& feature : CpuFeatures()) {
    const std::uint32_t bit = std::uint32_t{1} << feature.bit;
    EXPECT_EQ(words.at(feature.word) & bit, bit) << feature.name;
    left[feature.word] &= ~bit;
  }
  // AMD's CPUs show some of leaf 1 there again: AMD APM vol. 3, E.4.2.
  constexpr std::uint32_t kShownTwice = 0x3ff | 0x3f << 12 | 3 << 23;
  EXPECT_EQ(left[FeatureWord::k80000001Edx], Cpuid(1, 0).edx & kShownTwice);
  left[FeatureWord::k80000001Edx] = 0;
  for (const auto& [word, bits] : left) EXPECT_EQ(bits, 0u) << static_cast<int>(word);
  EXPECT_EQ(Cpuid(7, 0).edx, 0u);
  EXPECT_EQ(Cpuid(7, 1).eax, 0u);
}

// System V ABI x86-64, table 3.1.
TEST(CpuFeatures, TheModelIsOfLevel3AndNotOfLevel4) {
  constexpr std::uint32_t k1Edx = 1u << 0 | 1u << 8 | 1u << 15 | 1u << 23 | 1u << 24 | 3u << 25;
  constexpr std::uint32_t k1Ecx =
      1u << 0 | 1u << 9 | 1u << 12 | 1u << 13 | 3u << 19 | 1u << 22 | 1u << 23 | 7u << 27;
  constexpr std::uint32_t k7Ebx = 1u << 3 | 1u << 5 | 1u << 8;
  constexpr std::uint32_t kExtendedEcx = 1u << 0 | 1u << 5;
  EXPECT_EQ(Cpuid(1, 0).edx & k1Edx, k1Edx);
  EXPECT_EQ(Cpuid(1, 0).ecx & k1Ecx, k1Ecx);
  EXPECT_EQ(Cpuid(7, 0).ebx & k7Ebx, k7Ebx);
  EXPECT_EQ(Cpuid(0x80000001, 0).ecx & kExtendedEcx, kExtendedEcx);
  EXPECT_EQ(Cpuid(7, 0).ebx >> 16 & 1, 0u);  // AVX512F
}

// As glibc computes the sizes by which it chooses how to copy (sysdeps/x86/dl-cacheinfo.h), in both
// of AMD's ways.
TEST(CpuFeatures, BothDescriptionsOfTheCachesAgree) {
  const CpuidResult first = Cpuid(0x80000005, 0);
  const CpuidResult second = Cpuid(0x80000006, 0);
  const std::uint32_t by_summary[] = {first.ecx >> 24 << 10, first.edx >> 24 << 10,
                                      second.ecx >> 16 << 10, second.edx >> 18 << 19};
  constexpr std::uint32_t kLevels[] = {1, 1, 2, 3};
  for (std::uint32_t i = 0; i < 4; ++i) {
    const CpuidResult cache = Cpuid(0x8000001d, i);
    EXPECT_NE(cache.eax & 31, 0u) << i;
    EXPECT_EQ(cache.eax >> 5 & 7, kLevels[i]) << i;
    EXPECT_EQ(cache.eax >> 14, 0u) << i;  // shared with nobody
    const std::uint32_t line = (cache.ebx & 0xfff) + 1;
    const std::uint32_t ways = (cache.ebx >> 22) + 1;
    EXPECT_EQ(line, 64u) << i;
    EXPECT_EQ(line * ways * (cache.ecx + 1), by_summary[i]) << i;
  }
  EXPECT_EQ(Cpuid(0x8000001d, 4).eax & 31, 0u);
}

// What is reserved on AMD's CPUs is 0, so that nobody reads Intel's meaning into it.
TEST(CpuFeatures, TheModelIsAZen2) {
  const CpuidResult model = Cpuid(1, 0);
  EXPECT_EQ((model.eax >> 8 & 15) + (model.eax >> 20 & 255), 0x17u);
  EXPECT_EQ((model.eax >> 4 & 15) | (model.eax >> 16 & 15) << 4, 0x31u);
  EXPECT_EQ(Cpuid(0x80000000, 0).ebx, Cpuid(0, 0).ebx);
  for (const std::uint32_t leaf : {2u, 4u}) {
    const CpuidResult reserved = Cpuid(leaf, 0);
    EXPECT_EQ(reserved.eax | reserved.ebx | reserved.ecx | reserved.edx, 0u) << leaf;
  }
}

TEST(CpuFeatures, LeafDDescribesTheAreaThatXsaveWrites) {
  const CpuidResult all = Cpuid(0xd, 0);
  EXPECT_EQ(all.eax, kXcr0);
  EXPECT_EQ(all.edx, 0u);
  EXPECT_EQ(all.ebx, all.ecx);
  std::uint32_t end = 512 + 64;
  for (std::uint32_t component = 2; component < 64; ++component) {
    const CpuidResult part = Cpuid(0xd, component);
    EXPECT_EQ(part.eax != 0, component < 32 && (all.eax >> component & 1) != 0) << component;
    if (part.eax != 0) {
      EXPECT_EQ(part.ebx, end);  // in the standard format as in the compacted one
      end = part.ebx + part.eax;
    }
  }
  EXPECT_EQ(end, all.ebx);
  EXPECT_EQ(Cpuid(0xd, 1).ebx, end);
  EXPECT_EQ(Cpuid(0, 0).eax, 0xdu);
}

}  // namespace
}  // namespace glovebox::engine::x86
