// glovebox.v1.BlobService: content-addressed bytes in and out. Disks are waited for on threads of
// its own.
#pragma once

#include "glovebox/v1/blob_service.grpc.pb.h"
#include "server/core/task_pool.h"
#include "server/rpc/activity.h"
#include "server/store/blob_store.h"

namespace glovebox::server {

class BlobServiceImpl : public v1::BlobService::CallbackService {
 public:
  BlobServiceImpl(BlobStore& blobs, Activity& activity);

  grpc::ServerUnaryReactor* FindMissing(grpc::CallbackServerContext* context,
                                        const v1::FindMissingRequest* request,
                                        v1::FindMissingResponse* response) override;
  grpc::ServerReadReactor<v1::WriteBlobRequest>* Write(grpc::CallbackServerContext* context,
                                                       v1::WriteBlobResponse* response) override;
  grpc::ServerUnaryReactor* WriteBatch(grpc::CallbackServerContext* context,
                                       const v1::WriteBatchRequest* request,
                                       v1::WriteBatchResponse* response) override;
  grpc::ServerUnaryReactor* QueryWrite(grpc::CallbackServerContext* context,
                                       const v1::QueryWriteRequest* request,
                                       v1::QueryWriteResponse* response) override;
  grpc::ServerWriteReactor<v1::ReadBlobResponse>* Read(grpc::CallbackServerContext* context,
                                                       const v1::ReadBlobRequest* request) override;

 private:
  BlobStore& blobs_;
  Activity& activity_;
  TaskPool pool_;
};

}  // namespace glovebox::server
