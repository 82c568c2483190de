#include "engine/linux/cpuinfo.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "engine/isa/x86/cpu_features.h"
#include "engine/isa/x86/cpuid.h"

namespace glovebox::engine {
namespace {

std::string Letters(std::initializer_list<std::uint32_t> words) {
  std::string text;
  for (const std::uint32_t word : words) {
    char bytes[sizeof(word)];
    std::memcpy(bytes, &word, sizeof(word));
    text.append(bytes, sizeof(bytes));
  }
  return text.substr(0, text.find('\0'));
}

std::string ModelName() {
  std::string name;
  for (std::uint32_t leaf = 0x80000002; leaf <= 0x80000004; ++leaf) {
    const x86::CpuidResult part = x86::Cpuid(leaf, 0);
    name += Letters({part.eax, part.ebx, part.ecx, part.edx});
  }
  return name;
}

std::string Flags() {
  std::string flags;
  for (const x86::CpuFeature& feature : x86::CpuFeatures()) {
    if (!feature.name.empty()) flags += fmt::format(" {}", feature.name);
  }
  return flags;
}

}  // namespace

std::string CpuInfo() {
  const x86::CpuidResult vendor = x86::Cpuid(0, 0);
  const x86::CpuidResult model = x86::Cpuid(1, 0);
  const x86::CpuidResult addresses = x86::Cpuid(0x80000008, 0);
  // AMD APM vol. 3, E.3.2: the base family is 15, so both fields have an extension.
  const std::uint32_t family = (model.eax >> 8 & 15) + (model.eax >> 20 & 255);
  const std::uint32_t number = (model.eax >> 4 & 15) | (model.eax >> 16 & 15) << 4;
  const std::uint32_t line_bytes = (model.ebx >> 8 & 0xff) * 8;
  const std::uint32_t cache_kib = x86::Cpuid(0x80000006, 0).ecx >> 16;
  return fmt::format(
      "processor\t: 0\n"
      "vendor_id\t: {}\n"
      "cpu family\t: {}\n"
      "model\t\t: {}\n"
      "model name\t: {}\n"
      "stepping\t: {}\n"
      "cpu MHz\t\t: 1000.000\n"
      "cache size\t: {} KB\n"
      "physical id\t: 0\n"
      "siblings\t: 1\n"
      "core id\t\t: 0\n"
      "cpu cores\t: 1\n"
      "apicid\t\t: 0\n"
      "initial apicid\t: 0\n"
      "fpu\t\t: yes\n"
      "fpu_exception\t: yes\n"
      "cpuid level\t: {}\n"
      "wp\t\t: yes\n"
      "flags\t\t:{}\n"
      "bugs\t\t:\n"
      "bogomips\t: 2000.00\n"
      "clflush size\t: {}\n"
      "cache_alignment\t: {}\n"
      "address sizes\t: {} bits physical, {} bits virtual\n"
      "power management:\n\n",
      Letters({vendor.ebx, vendor.edx, vendor.ecx}), family, number, ModelName(), model.eax & 15,
      cache_kib, vendor.eax, Flags(), line_bytes, line_bytes, addresses.eax & 0xff,
      addresses.eax >> 8 & 0xff);
}

}  // namespace glovebox::engine
