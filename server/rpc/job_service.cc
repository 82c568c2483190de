#include "server/rpc/job_service.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "server/rpc/convert.h"
#include "server/rpc/job_calls.h"
#include "server/rpc/job_sources.h"
#include "server/rpc/status.h"

namespace glovebox::server {
namespace {

constexpr std::size_t kMaxReason = 1'024;

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const grpc::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

// Answers with a job, now or later.
class JobAnswer {
 public:
  JobAnswer(grpc::ServerUnaryReactor* reactor, v1::Job* response, Activity& activity)
      : reactor_(reactor), response_(response), call_(std::make_shared<Activity::Call>(activity)) {}
  void operator()(const Result<JobView, Error>& view) const {
    if (view) *response_ = MessageOf(*view);
    reactor_->Finish(StatusOf(view));
  }

 private:
  grpc::ServerUnaryReactor* reactor_;
  v1::Job* response_;
  std::shared_ptr<Activity::Call> call_;
};

}  // namespace

grpc::ServerUnaryReactor* JobServiceImpl::CreateJob(grpc::CallbackServerContext* context,
                                                    const v1::CreateJobRequest* request,
                                                    v1::Job* response) {
  auto create = RequestOf(*request);
  if (!create) return Answer(context, StatusOf(create.error()));
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  manager_.Create(std::move(*create), JobAnswer(reactor, response, activity_));
  return reactor;
}

grpc::ServerUnaryReactor* JobServiceImpl::GetJob(grpc::CallbackServerContext* context,
                                                 const v1::GetJobRequest* request,
                                                 v1::Job* response) {
  const Activity::Call call(activity_);
  const auto id = JobIdOf(request->name());
  if (!id) return Answer(context, StatusOf(id.error()));
  const auto view = manager_.Get(*id);
  if (view) *response = MessageOf(*view);
  return Answer(context, StatusOf(view));
}

grpc::ServerUnaryReactor* JobServiceImpl::ListJobs(grpc::CallbackServerContext* context,
                                                   const v1::ListJobsRequest* request,
                                                   v1::ListJobsResponse* response) {
  const Activity::Call call(activity_);
  const auto list = RequestOf(*request);
  if (!list) return Answer(context, StatusOf(list.error()));
  const auto page = manager_.List(*list);
  if (page) {
    for (const JobView& view : page->jobs) *response->add_jobs() = MessageOf(view);
    response->set_next_page_token(page->next_page_token);
  }
  return Answer(context, StatusOf(page));
}

grpc::ServerUnaryReactor* JobServiceImpl::CancelJob(grpc::CallbackServerContext* context,
                                                    const v1::CancelJobRequest* request,
                                                    v1::Job* response) {
  const auto id = JobIdOf(request->name());
  if (!id) return Answer(context, StatusOf(id.error()));
  if (request->reason().size() > kMaxReason) {
    return Answer(context,
                  StatusOf(Error{ErrorCode::kInvalidArgument, "REASON_TOO_LONG",
                                 fmt::format("a reason may have {} bytes", kMaxReason), "reason"}));
  }
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  manager_.Cancel(*id, request->reason(), JobAnswer(reactor, response, activity_));
  return reactor;
}

grpc::ServerUnaryReactor* JobServiceImpl::DeleteJob(grpc::CallbackServerContext* context,
                                                    const v1::DeleteJobRequest* request,
                                                    google::protobuf::Empty*) {
  const auto id = JobIdOf(request->name());
  if (!id) return Answer(context, StatusOf(id.error()));
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  manager_.Delete(*id,
                  [reactor, call = std::make_shared<Activity::Call>(activity_)](
                      const Result<void, Error>& result) { reactor->Finish(StatusOf(result)); });
  return reactor;
}

grpc::ServerUnaryReactor* JobServiceImpl::WaitJob(grpc::CallbackServerContext*,
                                                  const v1::WaitJobRequest* request,
                                                  v1::Job* response) {
  return ServeWaitJob(activity_, manager_, *request, response);
}

grpc::ServerWriteReactor<v1::JobEvent>* JobServiceImpl::WatchJob(
    grpc::CallbackServerContext*, const v1::WatchJobRequest* request) {
  return Follower<v1::JobEvent>::Serve(activity_, manager_, JobIdOf(request->name()),
                                       EventSource(manager_, *request));
}

grpc::ServerWriteReactor<v1::OutputChunk>* JobServiceImpl::ReadOutput(
    grpc::CallbackServerContext*, const v1::ReadOutputRequest* request) {
  return Follower<v1::OutputChunk>::Serve(activity_, manager_, JobIdOf(request->name()),
                                          OutputSource(*request));
}

grpc::ServerWriteReactor<v1::TraceEvent>* JobServiceImpl::StreamTrace(
    grpc::CallbackServerContext*, const v1::StreamTraceRequest* request) {
  return Follower<v1::TraceEvent>::Serve(activity_, manager_, JobIdOf(request->name()),
                                         TraceSource(*request));
}

grpc::ServerReadReactor<v1::WriteInputRequest>* JobServiceImpl::WriteInput(
    grpc::CallbackServerContext*, v1::WriteInputResponse* response) {
  return ServeWriteInput(activity_, manager_, response);
}

grpc::ServerUnaryReactor* JobServiceImpl::SignalJob(grpc::CallbackServerContext* context,
                                                    const v1::SignalJobRequest* request,
                                                    google::protobuf::Empty*) {
  const Activity::Call call(activity_);
  const auto id = JobIdOf(request->name());
  if (!id) return Answer(context, StatusOf(id.error()));
  return Answer(context, StatusOf(manager_.Signal(*id, request->signal())));
}

grpc::ServerUnaryReactor* JobServiceImpl::ResizeTerminal(grpc::CallbackServerContext* context,
                                                         const v1::ResizeTerminalRequest* request,
                                                         google::protobuf::Empty*) {
  const Activity::Call call(activity_);
  const auto id = JobIdOf(request->name());
  if (!id) return Answer(context, StatusOf(id.error()));
  const TerminalSize size{request->size().rows(), request->size().columns()};
  return Answer(context, StatusOf(manager_.Resize(*id, size)));
}

grpc::ServerUnaryReactor* JobServiceImpl::GetServerInfo(grpc::CallbackServerContext* context,
                                                        const v1::GetServerInfoRequest*,
                                                        v1::ServerInfo* response) {
  const Activity::Call call(activity_);
  const ManagerInfo info = manager_.Info();
  response->set_version(version_);
  response->set_epoch(info.epoch);
  response->set_concurrent_boxes(info.concurrent_boxes);
  response->set_queued_jobs(info.queued);
  response->set_running_jobs(info.running);
  for (const std::string& warning : info.warnings) response->add_warnings(warning);
  return Answer(context, grpc::Status::OK);
}

}  // namespace glovebox::server
