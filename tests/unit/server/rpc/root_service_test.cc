#include <gmock/gmock.h>

#include "glovebox/v1/root_service.grpc.pb.h"
#include "tests/unit/server/rpc/rpc_fixture.h"

namespace glovebox::server {
namespace {

using enum grpc::StatusCode;

class RootServiceTest : public RpcFixture {
 protected:
  template <typename Response, typename Request>
  Response CallRoots(grpc::Status (v1::RootService::Stub::*method)(grpc::ClientContext*,
                                                                   const Request&, Response*),
                     const Request& request) {
    const auto stub = v1::RootService::NewStub(channel_);
    grpc::ClientContext context;
    Response response;
    status_ = (stub.get()->*method)(&context, request, &response);
    return response;
  }
  v1::Root Create(const std::string& name, const v1::Digest& tree, bool replace = false) {
    v1::CreateRootRequest request;
    request.mutable_root()->set_name(name);
    *request.mutable_root()->mutable_tree() = tree;
    request.mutable_root()->mutable_config()->add_env("A=b");
    request.mutable_root()->mutable_config()->set_uid(1000);
    request.set_replace(replace);
    return CallRoots(&v1::RootService::Stub::CreateRoot, request);
  }
  v1::Root Get(const std::string& name) {
    v1::GetRootRequest request;
    request.set_name(name);
    return CallRoots(&v1::RootService::Stub::GetRoot, request);
  }
  void Delete(const std::string& name) {
    v1::DeleteRootRequest request;
    request.set_name(name);
    CallRoots(&v1::RootService::Stub::DeleteRoot, request);
  }
};

TEST_F(RootServiceTest, ANameOutlivesTheDaemon) {
  const v1::Digest tree = PutRoot();
  const v1::Root created = Create("roots/debian", tree);
  ASSERT_EQ(Describe(status_), "OK");
  EXPECT_EQ(created.blobs(), 2u);  // the listing and its file
  EXPECT_EQ(created.size_bytes(), tree.size_bytes() + std::string("a program").size());
  daemon_.reset();
  StartDaemon();
  EXPECT_EQ(Get("roots/debian").SerializeAsString(), created.SerializeAsString());
}

TEST_F(RootServiceTest, ANameIsTakenOnce) {
  const v1::Digest tree = PutRoot();
  const v1::Digest empty = Put("");
  Create("roots/a", tree);
  Create("roots/a", empty);
  EXPECT_EQ(Describe(status_), Code(ALREADY_EXISTS, "ROOT_EXISTS root.name"));
  Create("roots/a", empty, /*replace=*/true);
  EXPECT_EQ(Describe(status_), "OK");
  EXPECT_EQ(Get("roots/a").tree().sha256(), empty.sha256());
}

TEST_F(RootServiceTest, EachFaultNamesItsField) {
  const v1::Digest tree = PutRoot();
  for (const char* bad : {"debian", "roots/", "roots/A", "roots/a/b", "roots/..", "roots/-a"}) {
    Create(bad, tree);
    EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "ROOT_NAME root.name")) << bad;
  }
  v1::Digest absent = tree;
  absent.set_sha256(std::string(64, '0'));
  Create("roots/a", absent);
  EXPECT_EQ(Describe(status_), Code(FAILED_PRECONDITION, "BLOB_MISSING root.tree"));
  Create("roots/a", Put("no listing"));
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "DIRECTORY_FORM root.tree"));
  Get("roots/none");
  EXPECT_EQ(Describe(status_), Code(NOT_FOUND, "ROOT_NOT_FOUND name"));
  Delete("roots/none");
  EXPECT_EQ(Describe(status_), Code(NOT_FOUND, "ROOT_NOT_FOUND name"));
  v1::CreateRootRequest request;
  request.mutable_root()->set_name("roots/a");
  *request.mutable_root()->mutable_tree() = tree;
  request.mutable_root()->mutable_config()->add_env("no equals sign");
  CallRoots(&v1::RootService::Stub::CreateRoot, request);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "ROOT_CONFIG root.config.env"));
}

TEST_F(RootServiceTest, ListsByNameInPages) {
  const v1::Digest tree = PutRoot();
  for (const char* name : {"roots/c", "roots/a", "roots/b"}) Create(name, tree);
  v1::ListRootsRequest request;
  request.set_page_size(2);
  const auto first = CallRoots(&v1::RootService::Stub::ListRoots, request);
  ASSERT_EQ(first.roots_size(), 2);
  EXPECT_EQ(first.roots(0).name(), "roots/a");
  EXPECT_EQ(first.roots(1).name(), "roots/b");
  request.set_page_token(first.next_page_token());
  const auto second = CallRoots(&v1::RootService::Stub::ListRoots, request);
  ASSERT_EQ(second.roots_size(), 1);
  EXPECT_EQ(second.roots(0).name(), "roots/c");
  EXPECT_EQ(second.next_page_token(), "");
  request.set_page_token("x" + first.next_page_token());
  CallRoots(&v1::RootService::Stub::ListRoots, request);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "PAGE_TOKEN page_token"));
  Delete("roots/b");
  EXPECT_EQ(Describe(status_), "OK");
  EXPECT_EQ(CallRoots(&v1::RootService::Stub::ListRoots, v1::ListRootsRequest()).roots_size(), 2);
}

TEST_F(RootServiceTest, ABatchOfBlobsIsStoredWholeOrNotAtAll) {
  v1::WriteBatchRequest request;
  const auto add = [&](const std::string& bytes) {
    auto& blob = *request.add_blobs();
    *blob.mutable_digest() = MessageOf(DigestOf(BytesOf(bytes)));
    blob.set_data(bytes);
  };
  add("one");
  add("two");
  add("one");
  const auto write = [&] {
    grpc::ClientContext context;
    v1::WriteBatchResponse response;
    return Describe(blobs_->WriteBatch(&context, request, &response));
  };
  request.mutable_blobs(1)->set_data("TWO");
  EXPECT_EQ(write(), Code(INVALID_ARGUMENT, "DIGEST_MISMATCH blobs[1].digest"));
  v1::FindMissingRequest find;
  *find.add_digests() = request.blobs(0).digest();
  grpc::ClientContext context;
  v1::FindMissingResponse missing;
  ASSERT_TRUE(blobs_->FindMissing(&context, find, &missing).ok());
  EXPECT_EQ(missing.missing_size(), 1);
  request.mutable_blobs(1)->set_data("two");
  EXPECT_EQ(write(), "OK");
  EXPECT_EQ(write(), "OK");
  add(std::string(9 << 20, 'x'));
  EXPECT_EQ(write(), Code(INVALID_ARGUMENT, "BATCH_TOO_LARGE blobs"));
}

}  // namespace
}  // namespace glovebox::server
