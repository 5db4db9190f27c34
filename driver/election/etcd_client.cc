#include "driver/election/etcd_client.h"

#include <algorithm>

#include "common/io/file.h"
#include "common/net/grpc_status.h"
#include "etcd/etcdserverpb.grpc.pb.h"

namespace millrace {
namespace {

namespace pb = etcdserverpb;

constexpr std::string_view kHttps = "https://";
constexpr std::string_view kHttp = "http://";

// A member that has lost its cluster's leader must say so instead of keeping a stream open that will never speak.
void RequireLeader(grpc::ClientContext& context) { context.AddMetadata("hasleader", "true"); }

// Another endpoint would say the same.
bool IsFinal(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsFor(const std::string& endpoint,
                                                                         const TlsFiles& tls) {
  if (endpoint.starts_with(kHttp)) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  if (!tls.ca.empty()) {
    MR_ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadFile(tls.ca));
  }
  if (!tls.cert.empty()) {
    MR_ASSIGN_OR_RETURN(ssl.pem_cert_chain, ReadFile(tls.cert));
    MR_ASSIGN_OR_RETURN(ssl.pem_private_key, ReadFile(tls.key));
  }
  return grpc::SslCredentials(ssl);
}

absl::Status CheckOptions(const EtcdOptions& options) {
  if (options.endpoints.empty()) return InvalidArgument("no endpoint of etcd is given");
  for (const std::string& endpoint : options.endpoints) {
    const bool https = endpoint.starts_with(kHttps);
    const std::string_view rest =
        std::string_view(endpoint).substr(https ? kHttps.size() : std::min(kHttp.size(), endpoint.size()));
    if ((!https && !endpoint.starts_with(kHttp)) || rest.find(':') == rest.npos || rest.find('/') != rest.npos) {
      return InvalidArgument("etcd endpoint '", endpoint,
                             "' must be https://HOST:PORT, or http://HOST:PORT without TLS");
    }
  }
  if (options.tls.cert.empty() != options.tls.key.empty())
    return InvalidArgument("for etcd there is a certificate without a key, or a key without a certificate: give both");
  return absl::OkStatus();
}

EtcdKey FromRange(const pb::RangeResponse& range, std::int64_t revision) {
  EtcdKey key;
  key.revision = revision;
  if (range.kvs_size() == 0) return key;
  const mvccpb::KeyValue& kv = range.kvs(0);
  key.exists = true;
  key.value = kv.value();
  key.lease = kv.lease();
  key.created = kv.create_revision();
  return key;
}

// gRPC counts a deadline on the wall's clock unless it is told otherwise, and the wall's clock may be set.
gpr_timespec After(std::chrono::nanoseconds wait) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(std::max<std::int64_t>(0, wait.count()), GPR_TIMESPAN));
}

}  // namespace

struct EtcdClient::Endpoint {
  Endpoint(std::string address, std::shared_ptr<grpc::ChannelCredentials> how)
      : name(std::move(address)), credentials(std::move(how)) {
    Connect();
  }
  // A channel that has failed refuses calls until it has connected again, which it does only while some call waits:
  // none does. A new one connects within its first call.
  void Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(name.substr(name.find("://") + 3), credentials, arguments);
    kv = pb::KV::NewStub(channel);
    lease = pb::Lease::NewStub(channel);
    watch = pb::Watch::NewStub(channel);
  }

  const std::string name;
  const std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::unique_ptr<pb::KV::Stub> kv;
  std::unique_ptr<pb::Lease::Stub> lease;
  std::unique_ptr<pb::Watch::Stub> watch;
};

// A call's context, known to the client while it runs so that Cancel reaches it.
class EtcdClient::Call {
 public:
  Call(EtcdClient& client, std::chrono::nanoseconds limit) : client_(client) {
    context_.set_deadline(After(limit));
    const std::lock_guard lock(client_.mutex_);
    client_.running_ = &context_;
    if (client_.cancelled_) context_.TryCancel();
  }
  ~Call() {
    const std::lock_guard lock(client_.mutex_);
    client_.running_ = nullptr;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  grpc::ClientContext& context() { return context_; }

 private:
  EtcdClient& client_;
  grpc::ClientContext context_;
};

EtcdClient::EtcdClient(EtcdOptions options) : options_(std::move(options)) {}
EtcdClient::~EtcdClient() = default;

absl::StatusOr<std::unique_ptr<EtcdClient>> EtcdClient::Make(EtcdOptions options) {
  MR_RETURN_IF_ERROR(CheckOptions(options));
  auto client = std::unique_ptr<EtcdClient>(new EtcdClient(std::move(options)));
  for (const std::string& endpoint : client->options_.endpoints) {
    MR_ASSIGN_OR_RETURN(auto credentials, CredentialsFor(endpoint, client->options_.tls));
    client->endpoints_.push_back(std::make_unique<Endpoint>(endpoint, std::move(credentials)));
  }
  return client;
}

void EtcdClient::NextEndpoint() {
  endpoints_[current_]->Connect();
  current_ = (current_ + 1) % endpoints_.size();
}

absl::Status EtcdClient::Ask(std::string_view what, Time until,
                             const std::function<grpc::Status(Endpoint&, grpc::ClientContext&)>& attempt) {
  std::string why;
  for (std::size_t tried = 0; tried < endpoints_.size(); ++tried) {
    const std::chrono::nanoseconds left =
        until == Time::max() ? std::chrono::nanoseconds::max() : until - BootClock::now();
    if (left <= std::chrono::nanoseconds(0)) break;
    Endpoint& endpoint = *endpoints_[current_];
    Call call(*this, std::min<std::chrono::nanoseconds>(left, options_.call_timeout));
    const grpc::Status status = attempt(endpoint, call.context());
    if (status.ok()) return absl::OkStatus();
    if (IsFinal(status.error_code())) return Annotate(FromGrpc(status), "etcd, ", what);
    why += Concat(why.empty() ? "" : "; ", ExplainConnectFailure(status, endpoint.name));
    NextEndpoint();
  }
  return Unavailable("etcd, ", what, ": ", why.empty() ? "no time is left" : why);
}

absl::StatusOr<EtcdLease> EtcdClient::Grant(std::chrono::seconds ttl) {
  pb::LeaseGrantRequest request;
  request.set_ttl(ttl.count());
  pb::LeaseGrantResponse reply;
  MR_RETURN_IF_ERROR(Ask("grant of a lease", Time::max(), [&](Endpoint& endpoint, grpc::ClientContext& context) {
    return endpoint.lease->LeaseGrant(&context, request, &reply);
  }));
  if (!reply.error().empty() || reply.id() == 0) return Internal("etcd granted no lease: ", reply.error());
  return EtcdLease{reply.id(), std::chrono::seconds(reply.ttl())};
}

absl::StatusOr<std::chrono::seconds> EtcdClient::KeepAlive(std::int64_t lease, Time until) {
  pb::LeaseKeepAliveRequest request;
  request.set_id(lease);
  pb::LeaseKeepAliveResponse reply;
  // A stream for one question: nothing is left behind that could be deaf without our knowing.
  MR_RETURN_IF_ERROR(Ask("renewal of the lease", until, [&](Endpoint& endpoint, grpc::ClientContext& context) {
    RequireLeader(context);
    const auto stream = endpoint.lease->LeaseKeepAlive(&context);
    const bool answered = stream->Write(request) && stream->Read(&reply);
    if (answered) context.TryCancel();
    const grpc::Status status = stream->Finish();
    if (answered) return grpc::Status::OK;
    return status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "it ended the stream without an answer") : status;
  }));
  if (reply.ttl() <= 0) return NotFound("etcd has ended the lease");
  return std::chrono::seconds(reply.ttl());
}

absl::Status EtcdClient::Revoke(std::int64_t lease) {
  pb::LeaseRevokeRequest request;
  request.set_id(lease);
  pb::LeaseRevokeResponse reply;
  return Ask("revocation of the lease", Time::max(), [&](Endpoint& endpoint, grpc::ClientContext& context) {
    return endpoint.lease->LeaseRevoke(&context, request, &reply);
  });
}

absl::StatusOr<EtcdKey> EtcdClient::Get(const std::string& key, Time until) {
  pb::RangeRequest request;
  request.set_key(key);
  pb::RangeResponse reply;
  MR_RETURN_IF_ERROR(Ask("reading the leader", until, [&](Endpoint& endpoint, grpc::ClientContext& context) {
    return endpoint.kv->Range(&context, request, &reply);
  }));
  return FromRange(reply, reply.header().revision());
}

absl::StatusOr<EtcdKey> EtcdClient::Create(const std::string& key, const std::string& value, std::int64_t lease) {
  pb::TxnRequest request;
  pb::Compare& absent = *request.add_compare();
  absent.set_result(pb::Compare::EQUAL);
  absent.set_target(pb::Compare::CREATE);
  absent.set_key(key);
  absent.set_create_revision(0);
  pb::PutRequest& put = *request.add_success()->mutable_request_put();
  put.set_key(key);
  put.set_value(value);
  put.set_lease(lease);
  request.add_failure()->mutable_request_range()->set_key(key);
  pb::TxnResponse reply;
  // Repeated at another endpoint although the first may have done it: then the key is found with our lease.
  MR_RETURN_IF_ERROR(Ask("candidature", Time::max(), [&](Endpoint& endpoint, grpc::ClientContext& context) {
    return endpoint.kv->Txn(&context, request, &reply);
  }));
  const std::int64_t revision = reply.header().revision();
  if (reply.succeeded()) return EtcdKey{true, value, lease, revision, revision};
  if (reply.responses_size() != 1 || !reply.responses(0).has_response_range())
    return Internal("etcd's answer to a candidature has no key in it");
  return FromRange(reply.responses(0).response_range(), revision);
}

void EtcdClient::AwaitChange(const std::string& key, std::int64_t revision, std::chrono::milliseconds at_most) {
  pb::WatchRequest request;
  request.mutable_create_request()->set_key(key);
  request.mutable_create_request()->set_start_revision(revision + 1);
  Endpoint& endpoint = *endpoints_[current_];
  Call call(*this, at_most);
  RequireLeader(call.context());
  const auto stream = endpoint.watch->Watch(&call.context());
  bool changed = false;
  if (stream->Write(request)) {
    for (pb::WatchResponse reply; !changed && stream->Read(&reply);)
      changed = reply.events_size() > 0 || reply.canceled();
  }
  call.context().TryCancel();
  const grpc::Status status = stream->Finish();
  // One that broke before its time: ask another next.
  const bool timely = changed || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  if (!timely) NextEndpoint();
}

void EtcdClient::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (running_ != nullptr) running_->TryCancel();
}

void EtcdClient::Resume() {
  const std::lock_guard lock(mutex_);
  cancelled_ = false;
}

}  // namespace millrace
