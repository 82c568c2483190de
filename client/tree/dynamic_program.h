// What a program of this machine needs beside itself to start in an empty root: the interpreter of
// a script, the program interpreter (ld.so) of a dynamic program, and the shared libraries that it
// would load.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"

namespace glovebox::client {

struct NeededFile {
  std::string host_path;
  std::string guest_path;  // where the guest's ld.so will look for it
};

// `guest_path` is where the program will be. Nothing for static programs and for what is no program
// at all: the box says what is wrong with it. A library that this machine lacks is left out: the
// guest's ld.so names it. What a program loads later by dlopen(3) is not known here; of that only
// libgcc_s, which glibc loads for pthread_cancel(3) and backtrace(3), comes along.
// Searched as ld.so(8) does without LD_LIBRARY_PATH: DT_RPATH, DT_RUNPATH, the cache, the default
// directories. Where the cache was needed, it is among the files.
// Errors: those of OpenHostFile.
Result<std::vector<NeededFile>, Error> FindNeededFiles(const std::string& program,
                                                       const std::string& guest_path);

}  // namespace glovebox::client
