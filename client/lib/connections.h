// The client's connection to the driver that leads, shared by its calls. A call that failed moves it on, unless another
// has done so before. Only client/lib includes this header. Thread-safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <string>

#include "common/net/driver_addresses.h"
#include "common/net/tls.h"
#include "millrace/v1/control.grpc.pb.h"

namespace millrace {

struct ClientConnection {
  std::string target;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Control::Stub> stub;
};

class ClientConnections {
 public:
  // `identity` outlives the object.
  ClientConnections(DriverAddresses addresses, const TlsIdentity& identity);

  std::shared_ptr<ClientConnection> Current() const;
  // Away from `failed`: to the leader that `error` names, else to the next address, with a new channel.
  void MoveOn(const ClientConnection& failed, const std::string& error);

  bool several() const { return several_; }
  std::size_t count() const { return count_; }

 private:
  std::shared_ptr<ClientConnection> Connect() const;

  const TlsIdentity& identity_;
  const bool several_;
  const std::size_t count_;
  mutable std::mutex mutex_;
  DriverAddresses addresses_;                  // guarded by mutex_
  std::shared_ptr<ClientConnection> current_;  // guarded by mutex_
};

}  // namespace millrace
