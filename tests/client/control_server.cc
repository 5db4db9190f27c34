#include "tests/client/control_server.h"

#include <algorithm>

#include "common/net/grpc_status.h"

namespace millrace {

ControlServer::ControlServer(TlsIdentity self, int port) : self_(std::move(self)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(Concat("127.0.0.1:", port), ServerCredentials(self_), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  MR_CHECK(server_ != nullptr && port_ > 0);
}

ControlServer::~ControlServer() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status ControlServer::Find(const std::string& reference, v1::JobStatus& out) const {
  for (const auto& [id, job] : jobs) {
    if (id != reference && job.name() != reference) continue;
    out = job;
    return grpc::Status::OK;
  }
  return ToGrpc(NotFound("there is no job '", reference, "'"));
}

grpc::Status ControlServer::Submit(grpc::ServerContext* context, SubmitStream* stream) {
  if (const auto allowed = RequireRole(*context, self_, {"client"}, "Control/Submit"); !allowed.ok())
    return ToGrpc(allowed);
  v1::SubmitRequest request;
  if (!stream->Read(&request) || !request.has_header()) return ToGrpc(InvalidArgument("no header"));
  const v1::SubmitHeader header = request.header();
  if (header.name() == "refused") return ToGrpc(AlreadyExists("a live job has the name 'refused'"));
  std::string library;
  while (stream->Read(&request)) {
    largest_chunk = std::max(largest_chunk, request.chunk().size());
    library += request.chunk();
  }
  return submit ? submit(header, library, *stream) : grpc::Status::OK;
}

grpc::Status ControlServer::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* reply) {
  for (const auto& [id, job] : jobs) {
    if (request->all() || job.ended_time_us() == 0) *reply->add_jobs() = job;
  }
  return grpc::Status::OK;
}

grpc::Status ControlServer::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request, v1::JobStatus* reply) {
  return get_job ? get_job(*request, *reply) : Find(request->job(), *reply);
}

grpc::Status ControlServer::StopJob(grpc::ServerContext*, const v1::StopJobRequest* request,
                                    v1::StopJobResponse* reply) {
  stop_requests.push_back(*request);
  v1::JobStatus& job = *reply->mutable_job();
  if (const grpc::Status found = Find(request->job(), job); !found.ok()) return found;
  if (job.ended_time_us() != 0) return ToGrpc(FailedPrecondition("job ", job.id(), " has ended already"));
  job.set_state(request->now() ? v1::JOB_STATE_STOPPED : v1::JOB_STATE_STOPPING);
  return grpc::Status::OK;
}

grpc::Status ControlServer::Savepoint(grpc::ServerContext*, const v1::SavepointRequest* request,
                                      v1::SavepointResponse* reply) {
  v1::JobStatus job;
  if (const grpc::Status found = Find(request->job(), job); !found.ok()) return found;
  reply->set_batch(job.batches_committed());
  return grpc::Status::OK;
}

grpc::Status ControlServer::FollowJob(grpc::ServerContext* context, const v1::FollowJobRequest* request,
                                      grpc::ServerWriter<v1::JobEvent>* out) {
  v1::JobStatus job;
  if (const grpc::Status found = Find(request->job(), job); !found.ok()) return found;
  return follow ? follow(*request, *context, *out) : grpc::Status::OK;
}

grpc::Status ControlServer::Logs(grpc::ServerContext* context, const v1::LogsRequest* request,
                                 grpc::ServerWriter<v1::LogLine>* out) {
  v1::JobStatus job;
  if (const grpc::Status found = Find(request->job(), job); !found.ok()) return found;
  return logs ? logs(*request, *context, *out) : grpc::Status::OK;
}

grpc::Status ControlServer::ListExecutors(grpc::ServerContext* context, const v1::ListExecutorsRequest*,
                                          v1::ListExecutorsResponse* reply) {
  if (const auto allowed = RequireRole(*context, self_, {"client"}, "Control/ListExecutors"); !allowed.ok())
    return ToGrpc(allowed);
  *reply = executors;
  return grpc::Status::OK;
}

v1::JobStatus MakeJob(const std::string& id, const std::string& name, v1::JobState state) {
  v1::JobStatus job;
  job.set_id(id);
  job.set_name(name);
  job.set_state(state);
  job.set_submitted_time_us(1'700'000'000'000'000);
  job.set_batch_interval_us(100'000);
  job.set_batches_committed(1234);
  job.set_records(9'876'543);
  if (state == v1::JOB_STATE_FAILED || state == v1::JOB_STATE_FINISHED || state == v1::JOB_STATE_STOPPED) {
    job.set_ended_time_us(1'700'000'200'000'000);
  }
  return job;
}

v1::JobEvent StatusEvent(const v1::JobStatus& job) {
  v1::JobEvent event;
  *event.mutable_status() = job;
  return event;
}

v1::JobEvent RowsEvent(std::uint64_t batch, std::uint32_t partition, const std::vector<std::string>& rows,
                       std::uint32_t limit, std::uint32_t sink) {
  v1::JobEvent event;
  v1::OutputRows& out = *event.mutable_rows();
  out.set_sink(sink);
  out.set_name(Concat("Print#", sink));
  out.set_batch(batch);
  out.set_batch_time_us(1'700'000'000'000'000 + static_cast<std::int64_t>(batch) * 100'000);
  out.set_partition(partition);
  out.mutable_rows()->Add(rows.begin(), rows.end());
  out.set_total(rows.size());
  out.set_limit(limit);
  return event;
}

}  // namespace millrace
