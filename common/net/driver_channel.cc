#include "common/net/driver_channel.h"

#include <utility>

#include "common/net/server.h"

namespace millrace {

DriverChannel::DriverChannel(DriverAddresses addresses, const TlsIdentity& identity)
    : addresses_(std::move(addresses)), identity_(identity) {
  Connect();
}

void DriverChannel::Next(const grpc::Status& status) {
  addresses_.Next(status.error_message());
  Connect();
}

void DriverChannel::Connect() {
  // With others to go to, one that hangs is given up sooner.
  channel_ = MakeDriverChannel(addresses_.Current(), identity_, addresses_.several());
}

}  // namespace millrace
