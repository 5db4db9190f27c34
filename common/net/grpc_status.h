// absl::Status ↔ grpc::Status. The codes are the same numbers in both by definition; details that a grpc::Status
// carries are dropped.
//
//   return ToGrpc(InvalidArgument("…"));
//   MR_RETURN_IF_ERROR(FromGrpc(stub->GetJob(&context, request, &reply)));
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "common/status.h"

namespace millrace {

inline grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), Message(status));
}

inline absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  // A peer may send a number that no one knows.
  const int code = status.error_code();
  const bool known = code > 0 && code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  return MakeStatus(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown, status.error_message());
}

}  // namespace millrace
