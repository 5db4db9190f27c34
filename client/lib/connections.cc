#include "client/lib/connections.h"

#include <utility>

namespace millrace {
namespace {

constexpr int kReplyBytesMax = 64 << 20;

}  // namespace

ClientConnections::ClientConnections(DriverAddresses addresses, const TlsIdentity& identity)
    : identity_(identity),
      several_(addresses.several()),
      count_(addresses.all().size()),
      addresses_(std::move(addresses)),
      current_(Connect()) {}

std::shared_ptr<ClientConnection> ClientConnections::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void ClientConnections::MoveOn(const ClientConnection& failed, const std::string& error) {
  const std::lock_guard lock(mutex_);
  if (current_.get() != &failed) return;
  addresses_.Next(error);
  current_ = Connect();
}

std::shared_ptr<ClientConnection> ClientConnections::Connect() const {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReplyBytesMax);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // A call, and a follower, notices a driver that is gone without a word; sooner when there is another to go to.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, several_ ? 1'000 : 15'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, several_ ? 2'000 : 10'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);                // a follower sends nothing else
  if (several_) arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);  // how long a try to connect may take
  auto connection = std::make_shared<ClientConnection>();
  connection->target = addresses_.Current();
  connection->channel =
      grpc::CreateCustomChannel(connection->target, ChannelCredentials(identity_, "driver"), arguments);
  connection->stub = v1::Control::NewStub(connection->channel);
  return connection;
}

}  // namespace millrace
