#include "tests/connectors/flume_fixture.h"
#include "tests/common/eventually.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TSSLSocket.h>
#include <thrift/transport/TSocket.h>
#include <unistd.h>

#include <array>

namespace millrace {

using namespace apache::thrift;  // NOLINT: of the client alone

flume_wire::ThriftFlumeEvent Event(std::string body, std::map<std::string, std::string> headers) {
  flume_wire::ThriftFlumeEvent event;
  event.body = std::move(body);
  event.headers = std::move(headers);
  return event;
}

std::vector<flume_wire::ThriftFlumeEvent> Events(int count, const std::string& prefix) {
  std::vector<flume_wire::ThriftFlumeEvent> events;
  for (int i = 0; i < count; ++i) events.push_back(Event(prefix + std::to_string(i)));
  return events;
}

AgentClient::AgentClient(std::uint16_t port, Encoding encoding, const std::string& ca) {
  std::shared_ptr<transport::TSocket> socket;
  if (ca.empty()) {
    socket = std::make_shared<transport::TSocket>("127.0.0.1", port);
  } else {
    auto factory = std::make_shared<transport::TSSLSocketFactory>(transport::TLSv1_2);
    factory->loadTrustedCertificates(ca.c_str());
    socket = factory->createSocket("127.0.0.1", port);
  }
  socket->setConnTimeout(10'000);
  socket->setRecvTimeout(20'000);
  transport_ = std::make_shared<transport::TFramedTransport>(socket);
  std::shared_ptr<protocol::TProtocol> protocol;
  if (encoding == Encoding::kCompact) {
    protocol = std::make_shared<protocol::TCompactProtocol>(transport_);
  } else {
    protocol = std::make_shared<protocol::TBinaryProtocol>(transport_);
  }
  client_ = std::make_unique<flume_wire::ThriftSourceProtocolClient>(protocol);
  transport_->open();
}

AgentClient::~AgentClient() {
  try {
    transport_->close();
  } catch (const TException&) {  // it sends what is left first, and the server may be gone
  }
}

RawClient::RawClient(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

RawClient::~RawClient() {
  if (fd_ >= 0) close(fd_);
}

void RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the server may have hung up already
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void RawClient::SendFrame(std::string_view bytes) {
  const std::uint32_t size = htonl(static_cast<std::uint32_t>(bytes.size()));
  Send(std::string_view(reinterpret_cast<const char*>(&size), sizeof size));
  Send(bytes);
}

std::string RawClient::ReadToEnd() {
  std::string out;
  std::array<char, 4096> buffer;
  while (true) {
    pollfd polled{fd_, POLLIN, 0};
    if (poll(&polled, 1, 20'000) != 1) {
      ADD_FAILURE() << "the server keeps the connection";
      return out;
    }
    const ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
    if (n <= 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

void RawClient::FinishSending() { shutdown(fd_, SHUT_WR); }

FlumeSettings TestSettings() {
  FlumeSettings settings;
  settings.max_connections = 16;
  settings.max_frame_bytes = 1 << 20;
  settings.max_batch_events = 10'000;
  return settings;
}

std::uint16_t AwaitPort(const FlumeReceiver& receiver) {
  EXPECT_TRUE(Eventually([&] { return receiver.server()->port() != 0; })) << receiver.Problem();
  return receiver.server()->port();
}

}  // namespace millrace
