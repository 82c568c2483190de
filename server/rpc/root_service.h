// glovebox.v1.RootService: root file systems by name. Trees are walked on threads of its own.
#pragma once

#include <functional>

#include "glovebox/v1/root_service.grpc.pb.h"
#include "server/core/root_names.h"
#include "server/core/task_pool.h"
#include "server/rpc/activity.h"

namespace glovebox::server {

class RootServiceImpl : public v1::RootService::CallbackService {
 public:
  RootServiceImpl(RootNames& roots, Activity& activity);

  grpc::ServerUnaryReactor* CreateRoot(grpc::CallbackServerContext* context,
                                       const v1::CreateRootRequest* request,
                                       v1::Root* response) override;
  grpc::ServerUnaryReactor* GetRoot(grpc::CallbackServerContext* context,
                                    const v1::GetRootRequest* request, v1::Root* response) override;
  grpc::ServerUnaryReactor* ListRoots(grpc::CallbackServerContext* context,
                                      const v1::ListRootsRequest* request,
                                      v1::ListRootsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteRoot(grpc::CallbackServerContext* context,
                                       const v1::DeleteRootRequest* request,
                                       google::protobuf::Empty* response) override;

 private:
  // Does `work` on the pool and ends the call with what it returns.
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                   std::function<Result<void, Error>()> work);

  RootNames& roots_;
  Activity& activity_;
  TaskPool pool_;
};

}  // namespace glovebox::server
