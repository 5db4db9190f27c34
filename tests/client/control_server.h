// A Control service on loopback with real TLS, for tests of the client: it keeps jobs in a map, takes uploads, and can
// be told to answer badly. What a driver decides is not here.
//
//   ControlServer server(ca);
//   server.jobs["j-1"] = …;
//   server.submit = [](v1::SubmitHeader header, std::string library, auto& stream) { …; return grpc::Status::OK; };
//
// Set the members before the first call; the recorded ones may be read after the calls have ended.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "millrace/v1/control.grpc.pb.h"
#include "tests/common/net/test_ca.h"

namespace millrace {

class ControlServer final : public v1::Control::Service {
 public:
  using SubmitStream = grpc::ServerReaderWriter<v1::SubmitProgress, v1::SubmitRequest>;
  template <class Request, class Out>
  using Streamer = std::function<grpc::Status(const Request&, grpc::ServerContext&, grpc::ServerWriter<Out>&)>;

  explicit ControlServer(const TestCa& ca) : ControlServer(ca.Identity("driver", "driver-1")) {}
  explicit ControlServer(TlsIdentity self, int port = 0);
  ~ControlServer() override;
  std::string target() const { return Concat("127.0.0.1:", port_); }

  std::map<std::string, v1::JobStatus> jobs;  // by id
  v1::ListExecutorsResponse executors;
  std::function<grpc::Status(const v1::SubmitHeader&, const std::string& library, SubmitStream&)> submit;
  Streamer<v1::FollowJobRequest, v1::JobEvent> follow;
  Streamer<v1::LogsRequest, v1::LogLine> logs;
  std::function<grpc::Status(const v1::GetJobRequest&, v1::JobStatus&)> get_job;

  std::size_t largest_chunk = 0;
  std::vector<v1::StopJobRequest> stop_requests;

 private:
  grpc::Status Submit(grpc::ServerContext* context, SubmitStream* stream) override;
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request, v1::ListJobsResponse* reply) override;
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request, v1::JobStatus* reply) override;
  grpc::Status StopJob(grpc::ServerContext*, const v1::StopJobRequest* request, v1::StopJobResponse* reply) override;
  grpc::Status Savepoint(grpc::ServerContext*, const v1::SavepointRequest* request,
                         v1::SavepointResponse* reply) override;
  grpc::Status FollowJob(grpc::ServerContext* context, const v1::FollowJobRequest* request,
                         grpc::ServerWriter<v1::JobEvent>* out) override;
  grpc::Status Logs(grpc::ServerContext* context, const v1::LogsRequest* request,
                    grpc::ServerWriter<v1::LogLine>* out) override;
  grpc::Status ListExecutors(grpc::ServerContext* context, const v1::ListExecutorsRequest*,
                             v1::ListExecutorsResponse* reply) override;
  grpc::Status Find(const std::string& reference, v1::JobStatus& out) const;

  const TlsIdentity self_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A job as the driver would tell of it.
v1::JobStatus MakeJob(const std::string& id, const std::string& name, v1::JobState state);
v1::JobEvent StatusEvent(const v1::JobStatus& job);
v1::JobEvent RowsEvent(std::uint64_t batch, std::uint32_t partition, const std::vector<std::string>& rows,
                       std::uint32_t limit = 10, std::uint32_t sink = 7);

}  // namespace millrace
