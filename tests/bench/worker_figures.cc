// What a box costs beside its guest: from launch to exit through a warm worker, an idle worker's
// memory, and how long a cancel takes to reach guests that do not want to hear it.
//
// usage: worker_figures WORKER GUEST_FOLDER [ROUNDS]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "server/pool/worker_pool.h"
#include "tests/hostile/guest_root.h"
#include "tests/unit/server/pool/recorder.h"
#include "tests/unit/server/pool/requests.h"

namespace glovebox::server {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

RunRequest RequestOf(const std::string& folder, const std::string& guest) {
  auto root = std::make_shared<GuestRoot>();
  root->AddCopy("bin/" + guest, folder + "/" + guest);
  auto request = RequestFor("/bin/" + guest, {guest});
  request.working_directory = "/";
  request.root = root->Build();
  request.open_blob = [root](const Digest& digest) { return root->Open(digest); };
  return request;
}

void Print(const std::string& what, std::vector<double> samples_ms) {
  std::ranges::sort(samples_ms);
  fmt::print("{:28} median {:7.2f} ms  least {:7.2f} ms  most {:7.2f} ms  of {}\n", what,
             samples_ms[samples_ms.size() / 2], samples_ms.front(), samples_ms.back(),
             samples_ms.size());
}

// The pool makes the next warm worker meanwhile; a real daemon's jobs do not come back to back
// either.
void LetThePoolBreathe() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

double LaunchToExit(BoxLauncher& pool, const std::string& folder) {
  const auto recorder = std::make_shared<Recorder>();
  auto request = RequestOf(folder, "hello");
  const auto start = Clock::now();
  const auto handle = pool.Launch(std::move(request), recorder);
  if (!recorder->AwaitEnd().end) std::abort();
  return Milliseconds(Clock::now() - start).count();
}

double CancelToEnd(BoxLauncher& pool, const std::string& folder, const std::string& guest) {
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = pool.Launch(RequestOf(folder, guest), recorder);
  recorder->Await([](const Recorder::Seen& seen) { return seen.out == "ready\n"; });
  LetThePoolBreathe();
  const auto start = Clock::now();
  handle->Cancel("measured", false);
  if (!recorder->AwaitEnd().end) std::abort();
  return Milliseconds(Clock::now() - start).count();
}

// Children of this process that are workers: all but the zygote, which is the eldest.
void PrintIdleMemory() {
  std::vector<int> pids;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "children");
    for (int pid = 0; file >> pid;) pids.push_back(pid);
  }
  std::ranges::sort(pids);
  for (std::size_t i = 1; i < pids.size(); ++i) {
    std::string text;
    for (const char* const name : {"status", "smaps_rollup"}) {
      std::ifstream file("/proc/" + std::to_string(pids[i]) + "/" + name);
      for (std::string line; std::getline(file, line);) {
        for (const char* const key : {"VmRSS:", "RssAnon:", "Pss:", "Private_Dirty:"}) {
          if (line.starts_with(key)) text += " " + line;
        }
      }
    }
    std::ranges::replace(text, '\t', ' ');
    fmt::print("idle worker:{}\n", text);
  }
}

int Main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: worker_figures WORKER GUEST_FOLDER [ROUNDS]\n");
    return 2;
  }
  WorkerPoolOptions options;
  options.worker_path = argv[1];
  const std::string folder = argv[2];
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 20;
  auto pool = MakeWorkerPool(options);
  if (!pool) {
    fmt::print(stderr, "{}\n", pool.error().message);
    return 1;
  }
  LetThePoolBreathe();
  PrintIdleMemory();
  std::vector<double> samples;
  for (int i = 0; i < rounds; ++i) {
    samples.push_back(LaunchToExit(**pool, folder));
    LetThePoolBreathe();
  }
  Print("hello, launch to exit", samples);
  for (const char* const guest : {"spin", "rep", "flood", "sleeper"}) {
    samples.clear();
    for (int i = 0; i < rounds; ++i) samples.push_back(CancelToEnd(**pool, folder, guest));
    Print(std::string("cancel of ") + guest, samples);
  }
  return 0;
}

}  // namespace
}  // namespace glovebox::server

int main(int argc, char** argv) { return glovebox::server::Main(argc, argv); }
