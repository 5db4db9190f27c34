// A real RabbitMQ server for the tests, one for the whole test program, on free ports with a directory of its own; and
// the tests' own plain view of it through librabbitmq, apart from the connector.
//
// Tests skip themselves when rabbitmq-server is not installed. Failures of the fixture's own end the test program.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "executor/connectors/rabbitmq/connection_options.h"
#include "executor/connectors/receiver.h"

namespace millrace {

struct TestMessage {
  std::string body = {};
  std::string id = {};  // message_id; empty: none
  std::string routing_key = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::uint64_t timestamp = 0;
  bool operator==(const TestMessage&) const = default;
};

class RabbitMqTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  void SetUp() override;

  // `scripts/servers/rabbitmq.sh COMMAND` on the server: stop, kill, start, pause, resume, "ctl …".
  void Server(const std::string& command);
  std::string address(bool tls = false) const;
  std::string directory() const;
  engine::Options ConnectionMap() const;

  // A durable queue that no other run has; `more` as arguments, e.g. {"x-dead-letter-exchange", "…"}.
  std::string NewQueue(const std::vector<std::pair<std::string, std::string>>& more = {});
  std::string NewExchange(const std::string& type);
  void Bind(const std::string& queue, const std::string& exchange, const std::string& key);
  void DeleteQueue(const std::string& queue);
  // Confirmed. To the queue itself, or through an exchange with each message's routing key.
  void Publish(const std::string& queue, const std::vector<TestMessage>& messages, const std::string& exchange = "");
  // Takes all messages that are ready.
  std::vector<TestMessage> Drain(const std::string& queue);
  // Ready ones: neither taken nor under way to a consumer.
  std::size_t Ready(const std::string& queue);
};

std::vector<TestMessage> NumberedMessages(int from, int to, bool ids = true);

}  // namespace millrace
