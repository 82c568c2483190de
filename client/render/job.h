// Jobs as people read them.
#pragma once

#include <string>
#include <vector>

#include "glovebox/v1/job.pb.h"
#include "glovebox/v1/job_service.pb.h"

namespace glovebox::client {

std::string JobList(const std::vector<v1::Job>& jobs);  // `job ls`
std::string JobDetails(const v1::Job& job);             // `job show`
std::string JobSummary(const v1::Job& job);             // `run --summary`
std::string EventLine(const v1::JobEvent& event);       // `job watch`
std::string TraceLine(const v1::TraceEvent& event);     // "[icount] name(args) = result"

// "exited with status 0", "killed by signal 11 (SIGSEGV)", "hit its limit mem (64.0 MiB)", "failed:
// ...".
std::string OutcomeText(const v1::Job& job);

// "x87 is absent: fsin [d9 fe] at 0x401000", or nothing.
std::string UnimplementedText(const v1::JobResult& result);
// "bpf (2 calls), io_uring_setup (1 call)", or nothing. Without rseq(2), which every C library asks
// for and does without: it would stand in each result.
std::string AbsentSyscallsText(const v1::JobResult& result);
// Layers of the worker's sandbox that were not in force, with their reason; nothing where all were.
std::string MissingLayersText(const v1::Sandbox& sandbox);

std::string TimeText(const google::protobuf::Timestamp& time);  // "2026-11-20 10:31:21Z"
std::string SignalText(int number);                             // "SIGSEGV", "SIGRT3"

}  // namespace glovebox::client
