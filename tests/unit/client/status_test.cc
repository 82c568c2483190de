#include "client/rpc/status.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"

namespace glovebox::client {
namespace {

grpc::Status WithDetails(grpc::StatusCode code, const std::string& message,
                         const google::rpc::Status& details) {
  return {code, message, details.SerializeAsString()};
}

TEST(ErrorOf, TakesReasonAndFieldFromTheDetails) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  info.set_reason("LIMIT_TOO_LARGE");
  info.set_domain("glovebox");
  details.add_details()->PackFrom(info);
  google::rpc::BadRequest request;
  request.add_field_violations()->set_field("spec.limits[mem]");
  details.add_details()->PackFrom(request);
  const Error error =
      ErrorOf(WithDetails(grpc::StatusCode::INVALID_ARGUMENT, "mem is too much", details));
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.reason, "LIMIT_TOO_LARGE");
  EXPECT_EQ(error.field, "spec.limits[mem]");
  EXPECT_EQ(Describe(error), "mem is too much (LIMIT_TOO_LARGE, field spec.limits[mem])");
}

TEST(ErrorOf, FallsBackOnTheCodeWhereThereAreNone) {
  const Error error = ErrorOf({grpc::StatusCode::UNAVAILABLE, "connection refused"});
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(Describe(error), "connection refused (UNAVAILABLE)");
}

TEST(ErrorOf, SurvivesDetailsThatAreNone) {
  EXPECT_EQ(ErrorOf({grpc::StatusCode::INTERNAL, "x", "\xff\xff\xff"}).reason, "INTERNAL");
}

}  // namespace
}  // namespace glovebox::client
