// What a driver that does not lead says on its port: every call is refused with UNAVAILABLE and the leader's address,
// and gRPC health says NOT_SERVING. Executors, runners and clients take that as "ask the next one".
//
//   MR_ASSIGN_OR_RETURN(auto standby, StandbyServer::Start("0.0.0.0:7077", identity));
//   standby->SetLeader("driver-2:7077", "");
//   standby.reset();  // the port is free for the leader's server
//
// Thread-safe. Connections are mutually authenticated like all others.
#pragma once

#include <memory>
#include <string>

#include "common/net/tls.h"
#include "common/status.h"

namespace millrace {

class StandbyServer {
 public:
  // Errors as of StartServer. `port`: the port that it got, may be null.
  static absl::StatusOr<std::unique_ptr<StandbyServer>> Start(const std::string& listen, const TlsIdentity& identity,
                                                              int* port = nullptr);
  ~StandbyServer();

  // Who leads; empty: nobody that is known, because of `problem` if that is not empty.
  void SetLeader(const std::string& leader, const std::string& problem);

 private:
  class Refusal;
  explicit StandbyServer(std::unique_ptr<Refusal> refusal);

  const std::unique_ptr<Refusal> refusal_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace millrace
