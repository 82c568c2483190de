#include <array>

#include "client/commands/command.h"
#include "client/exit_status.h"

namespace glovebox::client {
namespace {

constexpr std::array kCommands{
    CommandRow{"", "run", "Run a program in a box, as if it ran here", DeclareRun, true,
               kExitService},
    CommandRow{"", "gdb", "Debug a job with gdb", DeclareGdb, true, 1, "JOB [GDB-ARGS...]"},
    CommandRow{"", "gdb-pipe", "Carry a debugger's bytes to a job (gdb starts it)", DeclareGdbPipe},
    CommandRow{"", "core", "Write a core of a job", DeclareCore},
    CommandRow{"", "logs", "Print the output of a job", DeclareLogs},
    CommandRow{"", "trace", "Print the system calls of a job", DeclareTrace},
    CommandRow{"", "world", "Print what guests find: the table of their world", DeclareWorld},
    CommandRow{"", "health", "Ask the daemon how it is", DeclareHealth},
    CommandRow{"", "version", "Print versions", DeclareVersion},
    CommandRow{"rootfs", "import",
               "Give a root file system a name: a directory, an archive, an image",
               DeclareRootfsImport},
    CommandRow{"rootfs", "ls", "List root file systems", DeclareRootfsLs},
    CommandRow{"rootfs", "rm", "Take a root's name away", DeclareRootfsRm},
    CommandRow{"job", "submit", "Queue a job and print its id", DeclareJobSubmit, true},
    CommandRow{"job", "ls", "List jobs, newest first", DeclareJobLs},
    CommandRow{"job", "show", "Print all about a job", DeclareJobShow},
    CommandRow{"job", "wait", "Wait for a job's end and return its status", DeclareJobWait, false,
               kExitService},
    CommandRow{"job", "watch", "Print a job's states as they change", DeclareJobWatch},
    CommandRow{"job", "cancel", "Ask for a job's end", DeclareJobCancel},
    CommandRow{"job", "rm", "Delete an ended job and its output", DeclareJobRm},
};

constexpr std::array kGroups{
    GroupRow{"job", "Queue, list, follow, cancel and delete jobs"},
    GroupRow{"rootfs", "Import, list and remove root file systems"},
};

}  // namespace

std::span<const GroupRow> Groups() { return kGroups; }

std::span<const CommandRow> Commands() { return kCommands; }

}  // namespace glovebox::client
