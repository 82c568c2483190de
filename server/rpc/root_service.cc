#include "server/rpc/root_service.h"

#include <memory>
#include <string>
#include <utility>

#include "server/rpc/convert.h"
#include "server/rpc/status.h"

namespace glovebox::server {
namespace {

constexpr unsigned kThreads = 2;
constexpr std::size_t kDefaultPageSize = 100;

}  // namespace

RootServiceImpl::RootServiceImpl(RootNames& roots, Activity& activity)
    : roots_(roots), activity_(activity), pool_(kThreads) {}

grpc::ServerUnaryReactor* RootServiceImpl::Answer(grpc::CallbackServerContext* context,
                                                  std::function<Result<void, Error>()> work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  pool_.Post([reactor, work = std::move(work), call = std::make_shared<Activity::Call>(activity_)] {
    reactor->Finish(StatusOf(work()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* RootServiceImpl::CreateRoot(grpc::CallbackServerContext* context,
                                                      const v1::CreateRootRequest* request,
                                                      v1::Root* response) {
  return Answer(context, [this, request, response]() -> Result<void, Error> {
    auto root = RootOf(request->root());
    if (!root) return std::unexpected(root.error());
    const auto created = roots_.Create(std::move(*root), request->replace());
    if (!created) return std::unexpected(created.error());
    *response = MessageOf(*created);
    return {};
  });
}

grpc::ServerUnaryReactor* RootServiceImpl::GetRoot(grpc::CallbackServerContext* context,
                                                   const v1::GetRootRequest* request,
                                                   v1::Root* response) {
  return Answer(context, [this, request, response]() -> Result<void, Error> {
    const auto name = RootNameOf(request->name(), "name");
    if (!name) return std::unexpected(name.error());
    const auto root = roots_.Get(*name);
    if (!root) return std::unexpected(root.error());
    *response = MessageOf(*root);
    return {};
  });
}

grpc::ServerUnaryReactor* RootServiceImpl::ListRoots(grpc::CallbackServerContext* context,
                                                     const v1::ListRootsRequest* request,
                                                     v1::ListRootsResponse* response) {
  return Answer(context, [this, request, response]() -> Result<void, Error> {
    const std::size_t size = request->page_size() == 0 ? kDefaultPageSize : request->page_size();
    const auto page = roots_.List(size, request->page_token());
    if (!page) return std::unexpected(page.error());
    for (const NamedRoot& root : page->roots) *response->add_roots() = MessageOf(root);
    response->set_next_page_token(page->next_page_token);
    return {};
  });
}

grpc::ServerUnaryReactor* RootServiceImpl::DeleteRoot(grpc::CallbackServerContext* context,
                                                      const v1::DeleteRootRequest* request,
                                                      google::protobuf::Empty*) {
  return Answer(context, [this, request]() -> Result<void, Error> {
    const auto name = RootNameOf(request->name(), "name");
    if (!name) return std::unexpected(name.error());
    return roots_.Delete(*name);
  });
}

}  // namespace glovebox::server
