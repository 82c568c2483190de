// What termios(3) says of a terminal, in the form of x86's struct termios2 (TCGETS2), and the older
// forms that share its fields. Sources: asm-generic/termbits.h, asm-generic/termios.h of Linux 6.1.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace glovebox::engine::tty {

enum InputFlag : std::uint32_t {
  kBrkint = 0000002,
  kParmrk = 0000010,
  kIstrip = 0000040,
  kInlcr = 0000100,
  kIgncr = 0000200,
  kIcrnl = 0000400,
  kIuclc = 0001000,
  kIxon = 0002000,
  kIxany = 0004000,
  kImaxbel = 0020000,
  kIutf8 = 0040000,
};

enum OutputFlag : std::uint32_t {
  kOpost = 0000001,
  kOlcuc = 0000002,
  kOnlcr = 0000004,
  kOcrnl = 0000010,
  kOnocr = 0000020,
  kOnlret = 0000040,
  kTabdly = 0014000,
  kXtabs = 0014000,
};

enum ControlFlag : std::uint32_t {
  kCbaud = 0010017,
  kB38400 = 0000017,
  kBother = 0010000,
  kCsize = 0000060,
  kCs8 = 0000060,
  kCread = 0000200,
  kParenb = 0000400,
};

enum LocalFlag : std::uint32_t {
  kIsig = 0000001,
  kIcanon = 0000002,
  kEcho = 0000010,
  kEchoe = 0000020,
  kEchok = 0000040,
  kEchonl = 0000100,
  kNoflsh = 0000200,
  kTostop = 0000400,
  kEchoctl = 0001000,
  kEchoprt = 0002000,
  kEchoke = 0004000,
  kIexten = 0100000,
  kExtproc = 0200000,
};

enum ControlCharacter : std::uint8_t {
  kVintr,
  kVquit,
  kVerase,
  kVkill,
  kVeof,
  kVtime,
  kVmin,
  kVswtc,
  kVstart,
  kVstop,
  kVsusp,
  kVeol,
  kVreprint,
  kVdiscard,
  kVwerase,
  kVlnext,
  kVeol2,
  kControlCharacters = 19,
};
// A character that is set to it is switched off: _POSIX_VDISABLE.
inline constexpr std::uint8_t kDisabled = 0;

// struct termios; with the speeds behind it struct termios2.
struct Termios {
  std::uint32_t input, output, control, local;
  std::uint8_t line;
  std::array<std::uint8_t, kControlCharacters> characters;
};
static_assert(sizeof(Termios) == 36);
struct Termios2 {
  Termios modes;
  std::uint32_t input_speed, output_speed;
};
static_assert(sizeof(Termios2) == 44);
// struct termio of System V (TCGETA): the low halves, and the first eight characters.
struct Termio {
  std::uint16_t input, output, control, local;
  std::uint8_t line;
  std::array<std::uint8_t, 8> characters;
  std::uint8_t pad;
};
static_assert(sizeof(Termio) == 18);

struct Winsize {
  std::uint16_t rows, columns, width_pixels, height_pixels;
  friend bool operator==(const Winsize&, const Winsize&) = default;
};
static_assert(sizeof(Winsize) == 8);

// tty_std_termios with the characters of asm-generic/termios.h, INIT_C_CC.
inline constexpr Termios2 kStandardTermios{
    {kIcrnl | kIxon,
     kOpost | kOnlcr,
     kB38400 | kCs8 | kCread,
     kIsig | kIcanon | kEcho | kEchoe | kEchok | kEchoctl | kEchoke | kIexten,
     0,
     {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0}},
    38400,
    38400};

// The speeds that have a code of their own: drivers/tty/tty_baudrate.c.
struct SpeedRow {
  std::uint32_t code, speed;
};
inline constexpr SpeedRow kSpeeds[] = {
    {000, 0},          {001, 50},         {002, 75},         {003, 110},        {004, 134},
    {005, 150},        {006, 200},        {007, 300},        {010, 600},        {011, 1200},
    {012, 1800},       {013, 2400},       {014, 4800},       {015, 9600},       {016, 19200},
    {017, 38400},      {010001, 57600},   {010002, 115200},  {010003, 230400},  {010004, 460800},
    {010005, 500000},  {010006, 576000},  {010007, 921600},  {010010, 1000000}, {010011, 1152000},
    {010012, 1500000}, {010013, 2000000}, {010014, 2500000}, {010015, 3000000}, {010016, 3500000},
    {010017, 4000000}};

// What the codes in c_cflag say; `given` where they say BOTHER. No code for the input speed: that
// of the output.
constexpr std::uint32_t SpeedOf(std::uint32_t code, std::uint32_t given) {
  if (code == kBother) return given;
  for (const SpeedRow& row : kSpeeds) {
    if (row.code == code) return row.speed;
  }
  return given;
}
constexpr void UpdateSpeeds(Termios2& to) {
  constexpr int kInputShift = 16;  // IBSHIFT
  const std::uint32_t output_code = to.modes.control & kCbaud;
  const std::uint32_t input_code = (to.modes.control >> kInputShift) & kCbaud;
  to.output_speed = SpeedOf(output_code, to.output_speed);
  to.input_speed = input_code == 0 ? to.output_speed : SpeedOf(input_code, to.input_speed);
}

constexpr Termio ToTermio(const Termios& from) {
  Termio to{};
  to.input = static_cast<std::uint16_t>(from.input);
  to.output = static_cast<std::uint16_t>(from.output);
  to.control = static_cast<std::uint16_t>(from.control);
  to.local = static_cast<std::uint16_t>(from.local);
  to.line = from.line;
  std::copy_n(from.characters.begin(), to.characters.size(), to.characters.begin());
  return to;
}
// What the short form has not stays as it is.
constexpr void ApplyTermio(const Termio& from, Termios& to) {
  const auto low = [](std::uint32_t now, std::uint16_t half) { return (now & ~0xffffu) | half; };
  to.input = low(to.input, from.input);
  to.output = low(to.output, from.output);
  to.control = low(to.control, from.control);
  to.local = low(to.local, from.local);
  to.line = from.line;
  std::copy_n(from.characters.begin(), from.characters.size(), to.characters.begin());
}

}  // namespace glovebox::engine::tty
