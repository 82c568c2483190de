// Watchpoints: which address spaces look for what, and whom a hit is told.
//
// A watched byte of shared memory is watched at every place where any process of the box has it
// mapped, and the hit is told to the process that watches, at its address. Processes that are not
// debugged go on as if nothing had been; but for that they touch it.
#include <algorithm>
#include <utility>
#include <vector>

#include "engine/linux/debugger.h"
#include "engine/linux/kernel.h"
#include "engine/linux/process_table.h"

namespace glovebox::engine {
namespace {

using Kind = DebugEvent::Kind;

bool HasMemory(const Task& task) {
  return task.scheduling.state != Scheduling::State::kEnded && task.program != nullptr;
}

// The programs of the box, each once, in the order of their tasks.
std::vector<Program*> ProgramsOf(Kernel& kernel) {
  std::vector<Program*> programs;
  for (const auto& [id, task] : kernel.processes().tasks()) {
    if (!HasMemory(*task)) continue;
    Program* const program = task->program.get();
    if (std::ranges::find(programs, program) == programs.end()) programs.push_back(program);
  }
  return programs;
}

// A guest may map a page as often as it likes; what is looked for has an end.
constexpr std::size_t kMostPlaces = 1024;

// `watch` of `home` as `program` is to look for it where it shows the same memory.
void AddElsewhere(const Watch& watch, std::uint32_t pid, const Program& home,
                  const Program& program, std::vector<Watch>& wanted) {
  for (const auto& piece : home.space->SharedPieces(watch.address, watch.size_bytes)) {
    for (const auto& place :
         program.space->PlacesOf(*piece.object, piece.offset_bytes, piece.size_bytes)) {
      const GuestAddr at_home = piece.address + (place.offset_bytes - piece.offset_bytes);
      if (&program == &home && place.address == at_home) continue;
      if (wanted.size() >= kMostPlaces) return;
      wanted.push_back({watch.kind, place.address, place.size_bytes, pid, at_home});
    }
  }
}

}  // namespace

void Debugger::SyncWatches() {
  watching_ = false;
  for (Program* const program : ProgramsOf(kernel_)) {
    // Its own come first: of those the thread itself is told.
    std::vector<Watch> wanted;
    for (const bool own : {true, false}) {
      for (const auto& [pid, marks] : processes_) {
        const Task* const task = AnyOf(pid);
        if (task == nullptr) continue;
        for (const Watch& watch : marks.watches) {
          if (!own) {
            AddElsewhere(watch, pid, *task->program, *program, wanted);
          } else if (task->program.get() == program) {
            wanted.push_back(watch);
          }
        }
      }
    }
    watching_ = watching_ || !wanted.empty();
    if (program->space->watches() != wanted) program->space->SetWatches(std::move(wanted));
  }
  mappings_state_ = StateOfMappings();
}

std::uint64_t Debugger::StateOfMappings() const {
  constexpr std::uint64_t kPrime = 0x100000001b3;  // FNV
  std::uint64_t state = 0;
  for (const auto& [id, task] : kernel_.processes().tasks()) {
    if (!HasMemory(*task)) continue;
    state = (state ^ id) * kPrime;
    state = (state ^ task->program->space->mapping_changes()) * kPrime;
  }
  return state;
}

Result<void, Errno> Debugger::SetWatches(std::uint32_t pid, std::vector<Watch> watches) {
  if (AnyOf(pid) == nullptr) return std::unexpected(kESRCH);
  processes_[pid].watches = std::move(watches);
  SyncWatches();
  return {};
}

// What system calls have touched of other processes' memory, or by way of a file, is found here.
bool Debugger::WatchOn(Task& task) {
  if (StateOfMappings() != mappings_state_) SyncWatches();
  bool goes_on = true;
  for (const auto& [id, row] : kernel_.processes().tasks()) {
    if (!HasMemory(*row)) continue;
    const auto hit = row->program->space->TakeCopyHit();
    if (!hit) continue;
    Task* accessor = row->program == task.program ? &task : AnyOf(row->process.pid);
    if (accessor == nullptr) accessor = row.get();
    if (TellHit(*accessor, *hit)) goes_on = false;
  }
  return goes_on || !(halted_ || (task.debug && task.debug->stopped));
}

Task* Debugger::WatcherOf(Task& task, std::uint32_t home_pid) const {
  if (home_pid != 0 && home_pid != task.process.pid) {
    // One that stands still already has nothing to tell, unless it is to be told when it goes on.
    Task* const any = AnyOf(home_pid);
    if (any == nullptr) return nullptr;
    for (Task* const thread : any->process.threads) {
      const Debugged* const debug = thread->debug.get();
      if (debug != nullptr && !debug->released && !debug->stopped && thread->program) return thread;
    }
    return non_stop_ ? nullptr : any;
  }
  return task.debug && !task.debug->released ? &task : nullptr;
}

bool Debugger::TellHit(Task& task, const WatchHit& hit) {
  Task* const watcher = WatcherOf(task, hit.home_pid);
  if (watcher == nullptr) return false;
  Tell(*watcher, {.kind = Kind::kWatchpoint, .address = hit.address, .watch = hit.kind});
  return true;
}

}  // namespace glovebox::engine
