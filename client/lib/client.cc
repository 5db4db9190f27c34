#include "client/lib/client.h"

#include <algorithm>

#include "client/lib/call.h"
#include "common/net/connect_probe.h"
#include "common/net/grpc_status.h"

namespace millrace {
namespace {

constexpr int kReplyBytesMax = 64 << 20;
constexpr std::chrono::milliseconds kProbeTimeout{2'000};

std::shared_ptr<grpc::Channel> MakeClientChannel(const ClientOptions& options, const TlsIdentity& identity) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReplyBytesMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 15'000);  // a follower notices a driver that is gone without a word
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(options.target, ChannelCredentials(identity, "driver"), arguments);
}

}  // namespace

Client::Client(ClientOptions options, TlsIdentity identity)
    : options_(std::move(options)),
      identity_(std::move(identity)),
      channel_(MakeClientChannel(options_, identity_)),
      stub_(v1::Control::NewStub(channel_)) {}

Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  if (options.target.rfind(':') == std::string::npos)
    return InvalidArgument("the driver's address '", options.target, "' must be HOST:PORT");
  MR_ASSIGN_OR_RETURN(TlsIdentity identity, LoadIdentity(options.tls, ""));
  if (identity.name.role != "client") {
    return PermissionDenied("certificate ", options.tls.cert, " is of ", identity.name.Uri(), ", role ",
                            identity.name.role, ", but a client needs one of role client");
  }
  auto client = std::unique_ptr<Client>(new Client(std::move(options), std::move(identity)));
  MR_RETURN_IF_ERROR(client->AwaitConnection());
  return client;
}

absl::Status Client::AwaitConnection() {
  const auto deadline = std::chrono::system_clock::now() + options_.timeout;
  for (auto state = channel_->GetState(true); state != GRPC_CHANNEL_READY; state = channel_->GetState(true)) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) {
      // The reason comes with a call's failure only.
      const auto answer = ListExecutors();
      return answer.ok() ? absl::OkStatus() : answer.status();
    }
    if (!channel_->WaitForStateChange(state, deadline)) {
      return Explained(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"));
    }
  }
  return absl::OkStatus();
}

absl::Status Client::Explained(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && channel_->GetState(false) == GRPC_CHANNEL_READY) {
    return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                      Concat(options_.target, ": the driver did not answer within ", options_.timeout.count(), " ms"));
  }
  const bool connection = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                          status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  if (!connection) return FromGrpc(status);
  const ProbeResult probe = ProbePeer(options_.target, identity_, "driver", std::min(kProbeTimeout, options_.timeout));
  switch (probe.fault) {
    case ProbeFault::kNone:
      return Unavailable(ExplainConnectFailure(status, options_.target));
    case ProbeFault::kUnreachable:
      return Unavailable(probe.text);
    case ProbeFault::kPeerBad:
      return MakeStatus(absl::StatusCode::kUnauthenticated, probe.text);
    case ProbeFault::kRefused:
      return PermissionDenied(probe.text);
  }
  return FromGrpc(status);
}

template <class Request, class Reply>
absl::StatusOr<Reply> Client::Ask(grpc::Status (v1::Control::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                            Reply*),
                                  const Request& request) {
  Reply reply;
  grpc::Status status;
  {
    Call call(*this);
    call.LimitTime();
    status = (stub_.get()->*method)(call.context(), request, &reply);
  }
  if (!status.ok()) return Explained(status);
  return reply;
}

absl::StatusOr<v1::ListJobsResponse> Client::ListJobs(bool all) {
  v1::ListJobsRequest request;
  request.set_all(all);
  return Ask<v1::ListJobsRequest, v1::ListJobsResponse>(&v1::Control::Stub::ListJobs, request);
}

absl::StatusOr<v1::JobStatus> Client::GetJob(const std::string& job, std::uint32_t batches, bool plan) {
  v1::GetJobRequest request;
  request.set_job(job);
  request.set_batches(batches);
  request.set_plan(plan);
  return Ask<v1::GetJobRequest, v1::JobStatus>(&v1::Control::Stub::GetJob, request);
}

absl::StatusOr<v1::JobStatus> Client::StopJob(const std::string& job, bool now) {
  v1::StopJobRequest request;
  request.set_job(job);
  request.set_now(now);
  MR_ASSIGN_OR_RETURN(v1::StopJobResponse reply,
                      (Ask<v1::StopJobRequest, v1::StopJobResponse>(&v1::Control::Stub::StopJob, request)));
  return std::move(*reply.mutable_job());
}

absl::StatusOr<v1::ListExecutorsResponse> Client::ListExecutors() {
  return Ask<v1::ListExecutorsRequest, v1::ListExecutorsResponse>(&v1::Control::Stub::ListExecutors, {});
}

absl::StatusOr<v1::RowsResponse> Client::Rows(const std::string& job, std::int64_t since_us, std::int64_t until_us) {
  v1::RowsRequest request;
  request.set_job(job);
  request.set_since_us(since_us);
  request.set_until_us(until_us);
  return Ask<v1::RowsRequest, v1::RowsResponse>(&v1::Control::Stub::Rows, request);
}

absl::Status Client::FollowJob(const std::string& job, const std::function<void(const v1::JobEvent&)>& on_event) {
  v1::FollowJobRequest request;
  request.set_job(job);
  Call call(*this);
  const auto reader = stub_->FollowJob(call.context(), request);
  for (v1::JobEvent event; reader->Read(&event);) on_event(event);
  return Explained(reader->Finish());
}

absl::Status Client::Logs(const std::string& job, const LogsOptions& options,
                          const std::function<void(const v1::LogLine&)>& on_line) {
  v1::LogsRequest request;
  request.set_job(job);
  request.set_follow(options.follow);
  request.set_lines(options.lines);
  Call call(*this);
  const auto reader = stub_->Logs(call.context(), request);
  for (v1::LogLine line; reader->Read(&line);) on_line(line);
  return Explained(reader->Finish());
}

void Client::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  for (grpc::ClientContext* context : running_) context->TryCancel();
}

}  // namespace millrace
