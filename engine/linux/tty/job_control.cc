#include "engine/linux/tty/job_control.h"

#include <algorithm>

#include "engine/linux/process_table.h"

namespace glovebox::engine::tty {
namespace {

template <typename Visit>
void ForEachProcess(const Kernel& kernel, Visit visit) {
  for (const auto& [id, task] : const_cast<Kernel&>(kernel).processes().tasks()) {
    if (task->process.pid == id) visit(task->process);
  }
}

// will_become_orphaned_pgrp, as if `without` were not there.
bool GroupIsOrphaned(const Kernel& kernel, std::uint32_t group, const Process* without) {
  bool orphaned = true;
  ForEachProcess(kernel, [&](const Process& process) {
    if (process.pid == kInitPid || process.group != group || process.ended || &process == without)
      return;
    if (process.parent->group != group && process.parent->session == process.session)
      orphaned = false;
  });
  return orphaned;
}

// Where only `father` kept the group of `process` from being orphaned.
void HangUpIfOrphaned(Process& process, const Process& father, const Process* without) {
  if (father.group == process.group || father.session != process.session) return;
  if (!GroupIsOrphaned(process.kernel, process.group, without)) return;
  bool any_stopped = false;
  ForEachProcess(process.kernel, [&](const Process& member) {
    if (member.group == process.group && member.stop_signal != 0) any_stopped = true;
  });
  if (!any_stopped) return;
  SignalGroup(process.kernel, process.group, kSIGHUP);
  SignalGroup(process.kernel, process.group, kSIGCONT);
}

}  // namespace

void SignalGroup(Kernel& kernel, std::uint32_t group, int signal) {
  ForEachProcess(kernel, [&](Process& process) {
    if (process.group == group) process.Send(SenderInfo(signal, kSiKernel, 0, 0));
  });
}

bool IsOrphaned(const Process& process) {
  return GroupIsOrphaned(process.kernel, process.group, nullptr);
}

Result<void, IoFailure> MayUse(Task& task, const Terminal& terminal, int signal) {
  Process& process = task.process;
  if (process.terminal.get() != &terminal || terminal.foreground == 0 ||
      terminal.foreground == process.group) {
    return {};
  }
  const bool blocked = (task.signals.blocked() & SetOf(signal)) != 0;
  if (blocked || task.signals.action(signal).handler == kHandlerIgnore) {
    if (signal == kSIGTTIN) return std::unexpected(kEIO);
    return {};
  }
  if (IsOrphaned(process)) return std::unexpected(kEIO);
  SignalGroup(task.kernel, process.group, signal);
  return std::unexpected(IoFailure(Wait::kSignal));
}

void TakeAsControlling(Process& process, const std::shared_ptr<Terminal>& terminal) {
  terminal->session = process.session;
  terminal->foreground = process.group;
  process.terminal = terminal;
}

void Release(Kernel& kernel, Terminal& terminal) {
  ForEachProcess(kernel, [&](Process& process) {
    if (process.terminal.get() == &terminal) process.terminal.reset();
  });
  terminal.session = terminal.foreground = 0;
}

void Disassociate(Process& process, bool exits) {
  if (process.session != process.pid) {
    process.terminal.reset();
    return;
  }
  Kernel& kernel = process.kernel;
  if (process.terminal) {
    const std::shared_ptr<Terminal> terminal = process.terminal;
    if (terminal->foreground != 0) {
      SignalGroup(kernel, terminal->foreground, kSIGHUP);
      if (!exits) SignalGroup(kernel, terminal->foreground, kSIGCONT);
    }
    Release(kernel, *terminal);
  } else if (exits && process.lost_foreground != 0) {
    // The terminal has hung up before: the jobs hear of it now.
    SignalGroup(kernel, process.lost_foreground, kSIGHUP);
    SignalGroup(kernel, process.lost_foreground, kSIGCONT);
  }
  process.lost_foreground = 0;
}

void LoseTerminal(Kernel& kernel, Terminal& terminal) {
  const std::uint32_t session = terminal.session;
  const std::uint32_t foreground = terminal.foreground;
  Release(kernel, terminal);
  if (session == 0) return;
  ForEachProcess(kernel, [&](Process& process) {
    if (process.pid != session || process.session != session || process.ended) return;
    process.lost_foreground = foreground;
    process.Send(SenderInfo(kSIGHUP, kSiKernel, 0, 0));
    process.Send(SenderInfo(kSIGCONT, kSiKernel, 0, 0));
  });
}

void NoteNewParent(Process& child, const Process& father) {
  HangUpIfOrphaned(child, father, nullptr);
}

void NoteEnd(Process& process) { HangUpIfOrphaned(process, *process.parent, &process); }

}  // namespace glovebox::engine::tty
