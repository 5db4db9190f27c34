// What the Flume tests share: a Thrift client as Flume's own sink is one, a raw TCP connection for what no client
// sends.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "executor/connectors/flume/flume_receiver.h"
#include "flume_wire/ThriftSourceProtocol.h"

namespace millrace {

flume_wire::ThriftFlumeEvent Event(std::string body, std::map<std::string, std::string> headers = {});
std::vector<flume_wire::ThriftFlumeEvent> Events(int count, const std::string& prefix = "e");

enum class Encoding { kCompact, kBinary };

// With a `ca` file it speaks TLS.
class AgentClient {
 public:
  explicit AgentClient(std::uint16_t port, Encoding encoding = Encoding::kCompact, const std::string& ca = "");
  ~AgentClient();
  flume_wire::ThriftSourceProtocolClient& operator*() { return *client_; }
  flume_wire::ThriftSourceProtocolClient* operator->() { return client_.get(); }

 private:
  std::shared_ptr<apache::thrift::transport::TTransport> transport_;
  std::unique_ptr<flume_wire::ThriftSourceProtocolClient> client_;
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  ~RawClient();
  void Send(std::string_view bytes);
  void SendFrame(std::string_view bytes);
  // Waits until the server closes the connection; gives what it sent before. Fails the test after 20 s.
  std::string ReadToEnd();
  void FinishSending();

 private:
  int fd_ = -1;
};

// Settings for a receiver on a free port of the loopback.
FlumeSettings TestSettings();

// The port of a receiver, once it listens.
std::uint16_t AwaitPort(const FlumeReceiver& receiver);

}  // namespace millrace
