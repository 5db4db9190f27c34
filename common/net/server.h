// The only places that set gRPC's server and channel options.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/net/tls.h"

namespace millrace {

// Listens on HOST:PORT (port 0: any free one, see `port`) with mutual TLS. Errors name `option` and the cause: a port
// that is in use, a name that does not resolve, an address that is not this machine's. `rest` gets the calls of every
// service that is not in `services`; it outlives the server, as they do.
absl::StatusOr<std::unique_ptr<grpc::Server>> StartServer(const std::string& listen, const TlsIdentity& identity,
                                                          std::string_view option,
                                                          const std::vector<grpc::Service*>& services,
                                                          int* port = nullptr,
                                                          grpc::CallbackGenericService* rest = nullptr);

// A lazy channel to a peer that must show the given role (and id, unless empty). Reconnects by itself within half
// a second.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target, const TlsIdentity& identity,
                                           std::string_view expected_role, const std::string& expected_id = "");

// A channel to a driver for one try: when it has failed, make another. `eager`: notices within three seconds instead of
// ten that the driver hangs, for there are others.
std::shared_ptr<grpc::Channel> MakeDriverChannel(const std::string& target, const TlsIdentity& identity, bool eager);

}  // namespace millrace
