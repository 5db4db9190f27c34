#include "common/net/server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/status.h"

namespace millrace {
namespace {

constexpr int kMessageBytesMax = 512 << 20;
constexpr int kKeepaliveMs = 5'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
// For a driver that can be replaced: about what the lease of one that hangs takes to end.
constexpr int kEagerKeepaliveMs = 1'000;
constexpr int kEagerKeepaliveTimeoutMs = 2'000;
// gRPC's "minimum of the pause before it connects again" is also how long one try to connect may take.
constexpr int kConnectMs = 2'000;

// gRPC says only that it could not listen; a bind of our own says why.
std::string WhyNotBound(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos) return "it must be HOST:PORT";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(listen.substr(0, colon).c_str(), listen.substr(colon + 1).c_str(), &hints, &found);
      error != 0) {
    return gai_strerror(error);
  }
  const int fd = socket(found->ai_family, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound = bind(fd, found->ai_addr, found->ai_addrlen) == 0 && ::listen(fd, 1) == 0;
  const int error = errno;
  close(fd);
  freeaddrinfo(found);
  if (bound) return "gRPC could not listen there";
  if (error == EADDRINUSE) return "the port is in use by another process: stop it, or choose another port";
  return std::strerror(error);
}

}  // namespace

absl::StatusOr<std::unique_ptr<grpc::Server>> StartServer(const std::string& listen, const TlsIdentity& identity,
                                                          std::string_view option,
                                                          const std::vector<grpc::Service*>& services, int* port,
                                                          grpc::CallbackGenericService* rest) {
  grpc::ServerBuilder builder;
  int bound = 0;
  builder.AddListeningPort(listen, ServerCredentials(identity), &bound);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // two daemons on one port must be an error, not a lottery
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 500);
  for (grpc::Service* service : services) builder.RegisterService(service);
  if (rest != nullptr) builder.RegisterCallbackGenericService(rest);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || bound == 0) return Unavailable("cannot listen on ", listen, " (", option, "): ", WhyNotBound(listen));
  if (port != nullptr) *port = bound;
  return server;
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target, const TlsIdentity& identity,
                                           std::string_view expected_role, const std::string& expected_id) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);  // of few, so that they can try often
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);   // identities of one process do not share connections
  return grpc::CreateCustomChannel(target, ChannelCredentials(identity, expected_role, expected_id), arguments);
}

std::shared_ptr<grpc::Channel> MakeDriverChannel(const std::string& target, const TlsIdentity& identity, bool eager) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, eager ? kEagerKeepaliveMs : kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, eager ? kEagerKeepaliveTimeoutMs : kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target, ChannelCredentials(identity, "driver"), arguments);
}

}  // namespace millrace
