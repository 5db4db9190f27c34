// The Control service: what clients ask. Decodes, authorises, posts; the answers are made on the loop thread from a
// job's own view of itself.
#pragma once

#include <functional>

#include "driver/driver.h"
#include "millrace/v1/control.grpc.pb.h"

namespace millrace {

class ControlService final : public v1::Control::CallbackService {
 public:
  explicit ControlService(Driver& driver) : driver_(driver) {}

  grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitProgress>* Submit(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context, const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context, const v1::GetJobRequest* request,
                                   v1::JobStatus* response) override;
  grpc::ServerUnaryReactor* StopJob(grpc::CallbackServerContext* context, const v1::StopJobRequest* request,
                                    v1::StopJobResponse* response) override;
  grpc::ServerUnaryReactor* Savepoint(grpc::CallbackServerContext* context, const v1::SavepointRequest* request,
                                      v1::SavepointResponse* response) override;
  grpc::ServerWriteReactor<v1::JobEvent>* FollowJob(grpc::CallbackServerContext* context,
                                                    const v1::FollowJobRequest* request) override;
  grpc::ServerWriteReactor<v1::LogLine>* Logs(grpc::CallbackServerContext* context,
                                              const v1::LogsRequest* request) override;
  grpc::ServerUnaryReactor* Rows(grpc::CallbackServerContext* context, const v1::RowsRequest* request,
                                 v1::RowsResponse* response) override;
  grpc::ServerUnaryReactor* ListExecutors(grpc::CallbackServerContext* context, const v1::ListExecutorsRequest* request,
                                          v1::ListExecutorsResponse* response) override;

 private:
  // Runs `answer` on the loop thread after the caller has been found to be a client.
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, std::string_view method,
                                   std::function<absl::Status()> answer);

  Driver& driver_;  // outlives the server
};

}  // namespace millrace
