// A JobManager over a store of its own and boxes in memory.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "server/core/job_manager.h"
#include "server/store/file_io.h"
#include "tests/unit/server/core/fake_launcher.h"
#include "tests/unit/server/store/scratch.h"
#include "tests/unit/server/store/sync_probe.h"

namespace glovebox::server {

// Listings of these tests: a line "f HEX SIZE" for a file, "d HEX SIZE" for a directory.
inline Result<DirectoryListing, Error> ParseTestListing(std::string_view bytes) {
  DirectoryListing listing;
  std::string text(bytes);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos)
      return Fail(ErrorCode::kInvalidArgument, "DIRECTORY_FORM", "no line");
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const auto digest = line.size() > 67
                            ? DigestFromHex(line.substr(2, 64), std::stoull(line.substr(67)))
                            : std::nullopt;
    if (!digest) return Fail(ErrorCode::kInvalidArgument, "DIRECTORY_FORM", "no digest");
    (line[0] == 'f' ? listing.files : listing.directories).push_back(*digest);
  }
  return listing;
}

inline std::string ListingLine(char kind, const Digest& digest) {
  return std::string{kind, ' '} + HexOf(digest) + " " + std::to_string(digest.size_bytes) + "\n";
}

class ManagerFixture : public ::testing::Test {
 protected:
  ManagerFixture() {
    options_.concurrent_boxes = 2;
    options_.commit_retry = std::chrono::milliseconds(1);
  }
  void SetUp() override {
    SetSyncHook([](const std::string&) { return kPretend; });
    StartDaemon();
  }
  void TearDown() override {
    StopDaemon();
    SetSyncHook(nullptr);
  }

  void StartDaemon() {
    directory_ =
        std::make_unique<StoreDirectory>(StoreDirectory::Acquire(scratch_ / "store").value());
    store_ = JobStore::Open(directory_->database()).value();
    blobs_ = BlobStore::Open(directory_->root()).value();
    manager_ = JobManager::Start({directory_.get(), store_.get(), blobs_.get(), ParseTestListing},
                                 boxes_.Launcher(), options_)
                   .value();
  }
  void StopDaemon() {
    manager_.reset();
    blobs_.reset();
    store_.reset();
    directory_.reset();
  }
  // As if the daemon had been killed: what it holds in memory does nothing more, and the store is
  // as it was.
  void Restart() {
    StopDaemon();
    StartDaemon();
  }

  Digest PutBlob(const std::string& bytes) {
    const Digest digest = DigestOf(BytesOf(bytes));
    auto upload = blobs_->BeginUpload(digest).value();
    EXPECT_TRUE(upload->Write(0, BytesOf(bytes)));
    return digest;
  }
  CreateRequest Request() {
    CreateRequest request;
    request.spec.argv = {"/bin/prog", "arg"};
    request.spec.root = PutBlob(ListingLine('f', PutBlob("a program")));
    return request;
  }
  Result<JobView, Error> Create(const CreateRequest& request) {
    return Wait<JobView>([&](auto done) { manager_->Create(request, done); });
  }
  std::string CreateId(const CreateRequest& request) {
    const auto view = Create(request);
    EXPECT_TRUE(view.has_value()) << view.error().message;
    return view->id;
  }
  Result<JobView, Error> Cancel(const std::string& id, const std::string& reason = "") {
    return Wait<JobView>([&](auto done) { manager_->Cancel(id, reason, done); });
  }
  Result<void, Error> Delete(const std::string& id) {
    std::promise<Result<void, Error>> promise;
    manager_->Delete(id, [&](Result<void, Error> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }

  // Waits until what clients see of the job meets the condition.
  JobView AwaitView(const std::string& id, const std::function<bool(const JobView&)>& condition) {
    auto rung = std::make_shared<std::pair<absl::Mutex, int>>();
    const auto watch = manager_->Watch(id, [rung] {
      absl::MutexLock lock(&rung->first);
      ++rung->second;
    });
    EXPECT_TRUE(watch.has_value());
    for (int seen = 0;;) {
      const JobView view = manager_->Get(id).value();
      if (condition(view)) return view;
      const auto more = [&] { return rung->second > seen; };
      absl::MutexLock lock(&rung->first);
      GB_CHECK(rung->first.AwaitWithTimeout(absl::Condition(&more), kTestPatience));
      seen = rung->second;
    }
  }
  JobView AwaitState(const std::string& id, JobState state) {
    return AwaitView(id, [state](const JobView& view) { return view.state == state; });
  }

  std::string Output(const std::string& id) {
    const auto watch = manager_->Watch(id, [] {}).value();
    std::string output;
    while (true) {
      const auto frames = watch->feed().output->Read(output.size(), 1 << 20).value();
      if (frames.empty()) return output;
      for (const Frame& frame : frames) output += frame.payload;
    }
  }
  std::vector<JobState> States(const std::string& id) {
    std::vector<JobState> states;
    for (const JobEvent& event : manager_->Events(id, 0).value()) states.push_back(event.state);
    return states;
  }

  Scratch scratch_;
  JobManagerOptions options_;
  FakeBoxes boxes_;
  std::unique_ptr<StoreDirectory> directory_;
  std::unique_ptr<JobStore> store_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<JobManager> manager_;

 private:
  template <typename Value, typename Call>
  Result<Value, Error> Wait(const Call& call) {
    std::promise<Result<Value, Error>> promise;
    call([&](Result<Value, Error> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
};

}  // namespace glovebox::server
