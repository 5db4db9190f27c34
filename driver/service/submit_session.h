// One Submit call: receives the library, checks it without running it, has it planned, starts the job, and tells the
// client each step.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/io/artifact_store.h"
#include "common/net/stream.h"
#include "driver/driver.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

class SubmitSession : public std::enable_shared_from_this<SubmitSession> {
 public:
  using Stream = ServerStream<v1::SubmitRequest, v1::SubmitProgress>;

  // `allowed`: the caller's right to submit; an error is the stream's end.
  static grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitProgress>* Open(Driver& driver,
                                                                              const absl::Status& allowed);

 private:
  explicit SubmitSession(Driver& driver) : driver_(driver) {}

  // On gRPC's threads, one message at a time.
  absl::Status Take(const v1::SubmitRequest& request);
  absl::Status TakeHeader(const v1::SubmitHeader& header);
  absl::Status Uploaded();
  absl::Status Truncated() const;
  // On the loop thread.
  void PlanAndStart();

  void Progress(std::string step, std::string detail);
  void Fail(const absl::Status& status);

  Driver& driver_;
  std::weak_ptr<Stream> stream_;
  std::optional<v1::SubmitHeader> header_;
  std::optional<ArtifactUpload> upload_;
  bool complete_ = false;
};

}  // namespace millrace
