#include "client/lib/client.h"

#include <algorithm>

#include "client/lib/call.h"
#include "common/net/connect_probe.h"
#include "common/net/grpc_status.h"

namespace millrace {
namespace {

constexpr std::chrono::milliseconds kProbeTimeout{2'000};
constexpr std::chrono::milliseconds kPause{50};

bool IsConnectionTrouble(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
}

}  // namespace

Client::Client(ClientOptions options, DriverAddresses drivers, TlsIdentity identity)
    : options_(std::move(options)), identity_(std::move(identity)), connections_(std::move(drivers), identity_) {}

Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  MR_ASSIGN_OR_RETURN(DriverAddresses drivers, DriverAddresses::Parse(options.target));
  MR_ASSIGN_OR_RETURN(TlsIdentity identity, LoadIdentity(options.tls, ""));
  if (identity.name.role != "client") {
    return PermissionDenied("certificate ", options.tls.cert, " is of ", identity.name.Uri(), ", role ",
                            identity.name.role, ", but a client needs one of role client");
  }
  auto client = std::unique_ptr<Client>(new Client(std::move(options), std::move(drivers), std::move(identity)));
  MR_RETURN_IF_ERROR(client->AwaitConnection());
  return client;
}

absl::Status Client::AwaitConnection() {
  if (connections_.several()) return ListExecutors().status();  // finds the leader
  const auto deadline = std::chrono::system_clock::now() + options_.timeout;
  const auto at = connections_.Current();
  for (auto state = at->channel->GetState(true); state != GRPC_CHANNEL_READY; state = at->channel->GetState(true)) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) {
      // The reason comes with a call's failure only.
      const auto answer = ListExecutors();
      return answer.ok() ? absl::OkStatus() : answer.status();
    }
    if (!at->channel->WaitForStateChange(state, deadline)) {
      return Explained(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"), *at);
    }
  }
  return absl::OkStatus();
}

absl::Status Client::Explained(const grpc::Status& status, const ClientConnection& at) const {
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && at.channel->GetState(false) == GRPC_CHANNEL_READY) {
    return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                      Concat(at.target, ": the driver did not answer within ", options_.timeout.count(), " ms"));
  }
  if (!IsConnectionTrouble(status)) return FromGrpc(status);
  if (IsNotTheLeader(status.error_message())) return Unavailable(at.target, ": ", status.error_message());
  const ProbeResult probe = ProbePeer(at.target, identity_, "driver", std::min(kProbeTimeout, options_.timeout));
  switch (probe.fault) {
    case ProbeFault::kNone:
      return Unavailable(ExplainConnectFailure(status, at.target));
    case ProbeFault::kUnreachable:
      return Unavailable(probe.text);
    case ProbeFault::kPeerBad:
      return MakeStatus(absl::StatusCode::kUnauthenticated, probe.text);
    case ProbeFault::kRefused:
      return PermissionDenied(probe.text);
  }
  return FromGrpc(status);
}

// The reasons of all, under the code of all if they have one.
absl::Status Client::NobodyLeads(const std::map<std::string, Failure>& tried) const {
  std::string why;
  absl::StatusCode code = absl::StatusCode::kOk;
  for (const auto& [target, failure] : tried) {
    const absl::Status explained = Explained(failure.status, *failure.at);
    why += (why.empty() ? "" : "; ") + Message(explained);
    if (code == absl::StatusCode::kOk) code = explained.code();
    if (code != explained.code()) code = absl::StatusCode::kUnavailable;
  }
  return MakeStatus(code, tried.size() == 1 ? why : Concat("no driver leads: ", why));
}

absl::Status Client::Reach(Time& deadline, const Try& attempt) {
  std::map<std::string, Failure> tried;  // by address, its last failure
  for (bool first_round = true;;) {
    const auto at = connections_.Current();
    const grpc::Status status = attempt(*at);
    if (status.ok()) return absl::OkStatus();
    if (!IsConnectionTrouble(status)) return FromGrpc(status);
    connections_.MoveOn(*at, status.error_message());
    // A try that was cut short by our own deadline knows less than the one before.
    if (status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED || !tried.contains(at->target))
      tried[at->target] = {status, at};
    const bool told = std::ranges::any_of(
        tried, [](const auto& entry) { return IsNotTheLeader(entry.second.status.error_message()); });
    if (!connections_.several() && !told) return NobodyLeads(tried);
    if (std::chrono::steady_clock::now() + kPause >= deadline) return NobodyLeads(tried);
    // When nobody at all has answered, that may be for a reason that no patience helps against.
    if (first_round && tried.size() == connections_.count()) {
      first_round = false;
      if (absl::Status why = told ? absl::OkStatus() : NobodyLeads(tried); !why.ok() && !absl::IsUnavailable(why))
        return why;
    }
    if (!Pause()) return MakeStatus(absl::StatusCode::kCancelled, "the call was cancelled");
  }
}

bool Client::Pause() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, kPause, [this] { return cancelled_; });
  return !cancelled_;
}

template <class Request, class Reply>
absl::StatusOr<Reply> Client::Ask(grpc::Status (v1::Control::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                            Reply*),
                                  const Request& request) {
  Reply reply;
  Time deadline = Patience();
  MR_RETURN_IF_ERROR(Reach(deadline, [&](ClientConnection& at) {
    Call call(*this);
    call.LimitTime(deadline);
    return (at.stub.get()->*method)(call.context(), request, &reply);
  }));
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

absl::StatusOr<std::uint64_t> Client::Savepoint(const std::string& job) {
  v1::SavepointRequest request;
  request.set_job(job);
  v1::SavepointResponse reply;
  Time deadline = Patience();
  MR_RETURN_IF_ERROR(Reach(deadline, [&](ClientConnection& at) {
    Call call(*this);
    return at.stub->Savepoint(call.context(), request, &reply);
  }));
  return reply.batch();
}

absl::StatusOr<v1::JobStatus> Client::StopJob(const std::string& job, const StopOptions& options) {
  v1::StopJobRequest request;
  request.set_job(job);
  request.set_now(options.now);
  request.set_drain(options.drain);
  request.set_wait_us(static_cast<std::uint64_t>(options.wait.count()) * 1'000'000);
  v1::StopJobResponse reply;
  Time deadline = Patience();
  bool maybe_done = false;  // a try broke that may have reached the driver
  const absl::Status status = Reach(deadline, [&](ClientConnection& at) {
    Call call(*this);
    call.LimitTime(deadline);
    grpc::Status answer = at.stub->StopJob(call.context(), request, &reply);
    maybe_done = maybe_done || (IsConnectionTrouble(answer) && !IsNotTheLeader(answer.error_message()));
    return answer;
  });
  if (absl::IsFailedPrecondition(status) && maybe_done) return GetJob(job, 1);  // it has ended, by our own doing
  MR_RETURN_IF_ERROR(status);
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

template <class Out, class Request>
absl::Status Client::Stream(std::unique_ptr<grpc::ClientReader<Out>> (v1::Control::Stub::*method)(grpc::ClientContext*,
                                                                                                  const Request&),
                            const Request& request, const std::function<void(const Out&)>& on_message) {
  absl::Status broken;
  Time deadline = Patience();
  MR_RETURN_IF_ERROR(Reach(deadline, [&](ClientConnection& at) {
    Call call(*this);
    const auto reader = (at.stub.get()->*method)(call.context(), request);
    bool begun = false;
    for (Out message; reader->Read(&message); begun = true) on_message(message);
    const grpc::Status status = reader->Finish();
    if (!begun || !IsConnectionTrouble(status)) return status;
    // Whoever has heard something must decide himself what he has missed.
    broken = Explained(status, at);
    connections_.MoveOn(at, status.error_message());
    return grpc::Status::OK;
  }));
  return broken;
}

absl::Status Client::FollowJob(const std::string& job, const std::function<void(const v1::JobEvent&)>& on_event) {
  v1::FollowJobRequest request;
  request.set_job(job);
  return Stream<v1::JobEvent>(&v1::Control::Stub::FollowJob, request, on_event);
}

absl::Status Client::Logs(const std::string& job, const LogsOptions& options,
                          const std::function<void(const v1::LogLine&)>& on_line) {
  v1::LogsRequest request;
  request.set_job(job);
  request.set_follow(options.follow);
  request.set_lines(options.lines);
  return Stream<v1::LogLine>(&v1::Control::Stub::Logs, request, on_line);
}

void Client::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  wake_.notify_all();
  for (grpc::ClientContext* context : running_) context->TryCancel();
}

}  // namespace millrace
