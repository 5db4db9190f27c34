#include "driver/election/standby_server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <mutex>

#include "common/net/driver_addresses.h"
#include "common/net/grpc_status.h"
#include "common/net/server.h"

namespace millrace {

class StandbyServer::Refusal final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    class Reactor final : public grpc::ServerGenericBidiReactor {
     public:
      explicit Reactor(const grpc::Status& status) { Finish(status); }
      void OnDone() override { delete this; }
    };
    const std::lock_guard lock(mutex_);
    return new Reactor(ToGrpc(status_));
  }
  void Set(absl::Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }

 private:
  std::mutex mutex_;
  absl::Status status_ = NotTheLeader("", "the election has not begun");
};

absl::StatusOr<std::unique_ptr<StandbyServer>> StandbyServer::Start(const std::string& listen,
                                                                    const TlsIdentity& identity, int* port) {
  auto standby = std::unique_ptr<StandbyServer>(new StandbyServer(std::make_unique<Refusal>()));
  grpc::EnableDefaultHealthCheckService(true);
  MR_ASSIGN_OR_RETURN(standby->server_,
                      StartServer(listen, identity, "driver.listen", {}, port, standby->refusal_.get()));
  if (auto* health = standby->server_->GetHealthCheckService(); health != nullptr) health->SetServingStatus(false);
  return standby;
}

StandbyServer::StandbyServer(std::unique_ptr<Refusal> refusal) : refusal_(std::move(refusal)) {}

StandbyServer::~StandbyServer() {
  if (server_) server_->Shutdown(std::chrono::system_clock::now());
}

void StandbyServer::SetLeader(const std::string& leader, const std::string& problem) {
  refusal_->Set(NotTheLeader(leader, problem));
}

}  // namespace millrace
