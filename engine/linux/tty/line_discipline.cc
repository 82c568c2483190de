#include "engine/linux/tty/line_discipline.h"

#include <algorithm>

#include "engine/linux/signals.h"

namespace glovebox::engine::tty {
namespace {

constexpr std::uint8_t kDelete = 127;
constexpr std::size_t kTabWidth = 8;
constexpr std::size_t kMaxHeldEcho = 4096;

bool IsControl(std::uint8_t byte) { return byte < ' ' || byte == kDelete; }
bool IsWordByte(std::uint8_t byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= 'a' && byte <= 'z') || byte == '_';
}
std::uint8_t Upper(std::uint8_t byte) {
  return byte >= 'a' && byte <= 'z' ? static_cast<std::uint8_t>(byte - 'a' + 'A') : byte;
}
std::uint8_t Lower(std::uint8_t byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<std::uint8_t>(byte - 'A' + 'a') : byte;
}

}  // namespace

void LineDiscipline::SetTermios(const Termios2& to) {
  const bool was_canonical = Local(kIcanon);
  const bool had_flow = Input(kIxon);
  termios_ = to;
  if (Local(kIcanon) != was_canonical) {
    // What was typed in the other mode is a line, whole or not.
    for (Cell& cell : cells_) cell.ends_line = false;
    complete_ = Local(kIcanon) ? cells_.size() : 0;
    if (complete_ != 0) cells_.back().ends_line = true;
    literal_next_ = erasing_ = false;
  }
  if (had_flow && !Input(kIxon)) SetStopped(false);
}

// --- typed ---

std::size_t LineDiscipline::Receive(std::span<const std::byte> bytes) {
  std::size_t taken = 0;
  for (const std::byte byte : bytes) {
    if (cells_.size() + 1 >= kBufferBytes) {
      const bool overflows = Local(kIcanon) && complete_ == 0;
      if (!overflows) break;
      // Its end must still find room: n_tty_receive_buf_common.
      if (cells_.size() >= kBufferBytes) cells_.pop_back();
    }
    ReceiveOne(static_cast<std::uint8_t>(byte));
    ++taken;
  }
  ShowEcho();
  return taken;
}

void LineDiscipline::FlushInput() {
  cells_.clear();
  complete_ = 0;
  literal_next_ = erasing_ = false;
}

void LineDiscipline::ReceiveOne(std::uint8_t byte) {
  if (Input(kIstrip)) byte &= 0x7f;
  if (Input(kIuclc) && Local(kIexten)) byte = Lower(byte);
  if (Local(kExtproc)) return Store(byte);
  if (literal_next_) {
    literal_next_ = false;
  } else {
    if (Input(kIxon) && ControlFlow(byte)) return;
    if (Local(kIsig) && RaiseSignal(byte)) return;
    if (stopped_ && Input(kIxon) && Input(kIxany)) SetStopped(false);
    if (byte == '\r') {
      if (Input(kIgncr)) return;
      if (Input(kIcrnl)) byte = '\n';
    } else if (byte == '\n' && Input(kInlcr)) {
      byte = '\r';
    }
    if (Local(kIcanon) && EditLine(byte)) return;
  }
  if (Local(kEcho)) {
    FinishErasing();
    if (byte == '\n') {
      EchoPlain(byte);
    } else {
      if (line_is_empty()) line_column_ = column_;
      Echo(byte);
    }
  }
  if (Input(kParmrk) && byte == 0xff) Store(byte);
  Store(byte);
}

bool LineDiscipline::ControlFlow(std::uint8_t byte) {
  if (IsCharacter(byte, kVstart)) {
    SetStopped(false);
    return true;
  }
  if (!IsCharacter(byte, kVstop)) return false;
  SetStopped(true);
  return true;
}

bool LineDiscipline::RaiseSignal(std::uint8_t byte) {
  struct Row {
    ControlCharacter character;
    int signal;
  };
  constexpr Row kRows[] = {{kVintr, kSIGINT}, {kVquit, kSIGQUIT}, {kVsusp, kSIGTSTP}};
  for (const Row& row : kRows) {
    if (!IsCharacter(byte, row.character)) continue;
    if (!Local(kNoflsh)) {
      FlushInput();
      echo_.clear();  // what came with it and was not shown yet
      host_.InputFlushed();
    }
    host_.SignalForeground(row.signal);
    if (Input(kIxon)) SetStopped(false);
    if (Local(kEcho)) Echo(byte);
    return true;
  }
  return false;
}

// What has a meaning in canonical mode. False: an ordinary byte.
bool LineDiscipline::EditLine(std::uint8_t byte) {
  const bool extended = Local(kIexten);
  if (IsCharacter(byte, kVerase)) return EraseInput(byte, Erase::kCharacter), true;
  if (IsCharacter(byte, kVkill)) return EraseInput(byte, Erase::kLine), true;
  if (extended && IsCharacter(byte, kVwerase)) return EraseInput(byte, Erase::kWord), true;
  if (extended && IsCharacter(byte, kVlnext)) {
    literal_next_ = true;
    if (Local(kEcho)) {
      FinishErasing();
      if (Local(kEchoctl)) echo_ += "^\b";
    }
    return true;
  }
  if (extended && Local(kEcho) && IsCharacter(byte, kVreprint)) return Reprint(byte), true;
  if (byte == '\n') {
    if (Local(kEcho) || Local(kEchonl)) EchoPlain(byte);
    return EndLine(byte), true;
  }
  if (IsCharacter(byte, kVeof)) return EndLine(kDisabled), true;
  if (IsCharacter(byte, kVeol) || (extended && IsCharacter(byte, kVeol2))) {
    if (Local(kEcho)) {
      if (line_is_empty()) line_column_ = column_;
      Echo(byte);
    }
    return EndLine(byte), true;
  }
  return false;
}

void LineDiscipline::Store(std::uint8_t byte, bool ends_line) {
  cells_.push_back({byte, ends_line});
}

void LineDiscipline::EndLine(std::uint8_t byte) {
  Store(byte, true);
  complete_ = cells_.size();
}

void LineDiscipline::EraseInput(std::uint8_t byte, Erase what) {
  if (line_is_empty()) return;
  if (what == Erase::kLine) {
    constexpr std::uint32_t kVisible = kEchok | kEchoke | kEchoe;
    const bool echoes = Local(kEcho);
    if (!echoes || (termios_.modes.local & kVisible) != kVisible) {
      cells_.resize(complete_);
      if (!echoes) return;
      FinishErasing();
      Echo(byte);
      if (Local(kEchok)) EchoPlain('\n');
      return;
    }
  }
  bool seen_word = false;
  while (!line_is_empty()) {
    // A character of UTF-8 goes as a whole.
    std::size_t at = cells_.size() - 1;
    while (at > complete_ && IsContinuation(cells_[at].byte)) --at;
    if (IsContinuation(cells_[at].byte)) break;
    if (what == Erase::kWord) {
      if (IsWordByte(cells_[at].byte)) {
        seen_word = true;
      } else if (seen_word) {
        break;
      }
    }
    const std::size_t bytes = cells_.size() - at;
    if (Local(kEcho)) EchoErasureOf(at, bytes, what);
    cells_.resize(at);
    if (what == Erase::kCharacter) break;
  }
  if (line_is_empty() && Local(kEcho)) FinishErasing();
}

void LineDiscipline::EchoErasureOf(std::size_t at, std::size_t bytes, Erase what) {
  const std::uint8_t erased = cells_[at].byte;
  if (Local(kEchoprt)) {
    if (!erasing_) echo_ += '\\';
    erasing_ = true;
    Echo(erased);
    for (std::size_t i = 1; i < bytes; ++i) echo_ += static_cast<char>(cells_[at + i].byte);
    return;
  }
  if (what == Erase::kCharacter && !Local(kEchoe)) return Echo(termios_.modes.characters[kVerase]);
  if (erased == '\t') {
    // As wide as it was: the columns since the tab before it, or since where the line began.
    std::size_t columns = 0;
    bool behind_tab = false;
    for (std::size_t i = at; i > complete_ && !behind_tab;) {
      const std::uint8_t before = cells_[--i].byte;
      if (before == '\t') {
        behind_tab = true;
      } else if (IsControl(before)) {
        columns += Local(kEchoctl) ? 2 : 0;
      } else if (!IsContinuation(before)) {
        ++columns;
      }
    }
    if (!behind_tab) columns += line_column_;
    for (std::size_t left = kTabWidth - columns % kTabWidth; left > 0; --left) {
      echo_ += '\b';
      if (column_ > 0) --column_;
    }
    return;
  }
  const int places = !IsControl(erased) ? 1 : Local(kEchoctl) ? 2 : 0;
  for (int i = 0; i < places; ++i) {
    EchoErase();
    if (column_ > 0) --column_;
  }
}

void LineDiscipline::Reprint(std::uint8_t byte) {
  FinishErasing();
  Echo(byte);
  EchoPlain('\n');
  for (std::size_t i = complete_; i < cells_.size(); ++i) Echo(cells_[i].byte);
}

// --- read ---

LineDiscipline::Readable LineDiscipline::Look(std::size_t wanted, std::size_t minimum) const {
  if (!canonical()) {
    const std::size_t enough = std::min(std::max<std::size_t>(minimum, 1), wanted);
    return {cells_.size() >= enough, std::min(cells_.size(), wanted)};
  }
  if (complete_ == 0) return {};
  const auto end = std::ranges::find_if(cells_, &Cell::ends_line);
  const auto before = static_cast<std::size_t>(end - cells_.begin());
  const bool is_eof = end == cells_.end() || end->byte == kDisabled;
  return {true, std::min(before + (is_eof ? 0 : 1), wanted)};
}

std::size_t LineDiscipline::Peek(std::span<std::byte> out) const {
  const std::size_t count = std::min(out.size(), cells_.size());
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::byte>(cells_[i].byte);
  return count;
}

void LineDiscipline::Consume(std::size_t bytes) {
  bytes = std::min(bytes, cells_.size());
  const bool at_line_end = bytes > 0 && cells_[bytes - 1].ends_line;
  if (canonical() && !at_line_end && bytes < cells_.size() && cells_[bytes].ends_line &&
      cells_[bytes].byte == kDisabled) {
    ++bytes;
  }
  cells_.erase(cells_.begin(), cells_.begin() + static_cast<std::ptrdiff_t>(bytes));
  complete_ -= std::min(complete_, bytes);
}

std::size_t LineDiscipline::Available() const {
  if (!canonical()) return cells_.size();
  return complete_ -
         static_cast<std::size_t>(std::count_if(
             cells_.begin(), cells_.begin() + static_cast<std::ptrdiff_t>(complete_),
             [](const Cell& cell) { return cell.ends_line && cell.byte == kDisabled; }));
}

// --- written ---

void LineDiscipline::Write(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!Output(kOpost)) return host_.Display(text);
  std::string out;
  out.reserve(text.size() + text.size() / 16);
  for (const char byte : text) Process(static_cast<std::uint8_t>(byte), out);
  host_.Display(out);
}

// termios(3), c_oflag; keeps the column.
void LineDiscipline::Process(std::uint8_t byte, std::string& out) {
  switch (byte) {
    case '\n':
      if (Output(kOnlret)) column_ = 0;
      if (Output(kOnlcr)) {
        column_ = 0;
        out += '\r';
      }
      line_column_ = column_;
      break;
    case '\r':
      if (Output(kOnocr) && column_ == 0) return;
      if (Output(kOcrnl)) {
        byte = '\n';
        if (Output(kOnlret)) line_column_ = column_ = 0;
        break;
      }
      line_column_ = column_ = 0;
      break;
    case '\t': {
      const std::size_t width = kTabWidth - column_ % kTabWidth;
      column_ += width;
      if ((termios_.modes.output & kTabdly) != kXtabs) break;
      out.append(width, ' ');
      return;
    }
    case '\b':
      if (column_ > 0) --column_;
      break;
    default:
      if (IsControl(byte)) break;
      if (Output(kOlcuc)) byte = Upper(byte);
      if (!IsContinuation(byte)) ++column_;
  }
  out += static_cast<char>(byte);
}

void LineDiscipline::SetStopped(bool stopped) {
  if (stopped_ == stopped) return;
  if (stopped) ShowEcho();
  stopped_ = stopped;
  host_.FlowChanged(stopped);
  ShowEcho();
}

// --- echo ---

void LineDiscipline::Echo(std::uint8_t byte) {
  if (!Local(kEchoctl) || !IsControl(byte) || byte == '\t') return EchoPlain(byte);
  echo_ += '^';
  echo_ += static_cast<char>(byte ^ 0100);
  column_ += 2;
}

void LineDiscipline::EchoPlain(std::uint8_t byte) {
  if (Output(kOpost)) {
    Process(byte, echo_);
  } else {
    echo_ += static_cast<char>(byte);
  }
}

void LineDiscipline::FinishErasing() {
  if (!erasing_) return;
  echo_ += '/';
  erasing_ = false;
}

void LineDiscipline::ShowEcho() {
  if (stopped_) {
    echo_.resize(std::min(echo_.size(), kMaxHeldEcho));
    return;
  }
  if (echo_.empty()) return;
  std::string shown;
  shown.swap(echo_);
  host_.Display(shown);
}

}  // namespace glovebox::engine::tty
