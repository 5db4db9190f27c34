// The connection of an executor or a runner to the driver, wherever it leads: a channel to one of the cluster's
// drivers, and the way to the next when that one is gone or does not lead.
//
//   DriverChannel driver(addresses, identity);
//   auto stub = v1::Cluster::NewStub(driver.channel());   // for one stream
//   driver.Next(status);                                  // it has ended: pause, then ask for the channel again
//
// Every try has a channel of its own: gRPC's own waits before it connects again, and refuses calls meanwhile. One
// thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "common/net/driver_addresses.h"
#include "common/net/tls.h"

namespace millrace {

class DriverChannel {
 public:
  // `identity` outlives the object.
  DriverChannel(DriverAddresses addresses, const TlsIdentity& identity);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  const std::string& target() const { return addresses_.Current(); }
  // All addresses, this one first.
  std::string addresses() const { return addresses_.text(); }

  // To the leader that `status` names, else to the next address, which may be the only one.
  void Next(const grpc::Status& status);

 private:
  void Connect();

  DriverAddresses addresses_;
  const TlsIdentity& identity_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace millrace
