// A client of etcd's v3 API, as far as an election needs it. Knows several endpoints of one cluster and goes on to the
// next when one does not answer; a call has tried each once when it fails.
//
//   MR_ASSIGN_OR_RETURN(auto etcd, EtcdClient::Make({.endpoints = {"https://etcd-1:2379"}, .tls = {ca, cert, key}}));
//   MR_ASSIGN_OR_RETURN(EtcdLease lease, etcd->Grant(std::chrono::seconds(2)));
//   MR_ASSIGN_OR_RETURN(EtcdKey held, etcd->Create("/millrace/leader", "host:7077", lease.id));
//
// One thread at a time, but Cancel from any. Calls block, at most `call_timeout` an endpoint. Errors: Unavailable when
// no endpoint answered, with what each said; NotFound for a lease that is gone; PermissionDenied and others are etcd's
// own.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/tls.h"
#include "common/status.h"
#include "driver/election/lease_clock.h"

namespace millrace {

struct EtcdOptions {
  std::vector<std::string> endpoints;  // "https://HOST:PORT", or "http://HOST:PORT" without TLS
  TlsFiles tls;                        // for https; no `ca`: the system's; no `cert`: none is shown
  std::chrono::milliseconds call_timeout{1000};
};

struct EtcdLease {
  std::int64_t id = 0;
  std::chrono::seconds ttl{0};  // granted, perhaps more than asked for
};

struct EtcdKey {
  bool exists = false;
  std::string value;
  std::int64_t lease = 0;
  std::int64_t created = 0;   // revision
  std::int64_t revision = 0;  // of the store when it was read
};

class EtcdClient {
 public:
  using Time = BootClock::time_point;

  // InvalidArgument for an endpoint that is none, NotFound and so on for files that cannot be read. Connects when it is
  // used.
  static absl::StatusOr<std::unique_ptr<EtcdClient>> Make(EtcdOptions options);
  ~EtcdClient();

  absl::StatusOr<EtcdLease> Grant(std::chrono::seconds ttl);
  // The lease's new time to live. `until`: when to give up. NotFound: it has ended.
  absl::StatusOr<std::chrono::seconds> KeepAlive(std::int64_t lease, Time until);
  absl::Status Revoke(std::int64_t lease);
  absl::StatusOr<EtcdKey> Get(const std::string& key, Time until = Time::max());
  // Puts the key under the lease unless there is one; the key as it then is, so the caller has won if the lease is its
  // own.
  absl::StatusOr<EtcdKey> Create(const std::string& key, const std::string& value, std::int64_t lease);
  // Returns when the key has changed after `revision`, or the time is over, or the watch is broken: read the key again
  // in any case. Asks one endpoint alone.
  void AwaitChange(const std::string& key, std::int64_t revision, std::chrono::milliseconds at_most);

  // Ends the call that runs, and all later ones until Resume, with Cancelled.
  void Cancel();
  void Resume();

 private:
  struct Endpoint;
  class Call;
  explicit EtcdClient(EtcdOptions options);
  void NextEndpoint();
  absl::Status Ask(std::string_view what, Time until,
                   const std::function<grpc::Status(Endpoint&, grpc::ClientContext&)>& attempt);

  const EtcdOptions options_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::size_t current_ = 0;
  std::mutex mutex_;  // guards the next two
  grpc::ClientContext* running_ = nullptr;
  bool cancelled_ = false;
};

}  // namespace millrace
