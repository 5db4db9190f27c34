// RabbitMQ as a source and as a sink: the options of JobContext::RabbitMq, RabbitMqText and of ToRabbitMq.
//
//   const RabbitMqServer server = {.hosts = {"rabbit-1", "rabbit-2"}, .username = "jobs", .password_file = "/etc/mq"};
//   auto orders = ctx.RabbitMqText({.server = server, .queues = {"orders"}});
//   totals.ToRabbitMq({.server = server, .exchange = "totals"});       // at least once
//
// Plain data, copied into the graph. A value that must be there and is not is refused where the source or output is
// added; the rest is checked when the job is submitted. docs/connectors/rabbitmq.md says what holds.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/engine.h"

namespace millrace {

// Files are read on the executors.
struct RabbitMqServer {
  std::vector<std::string> hosts = {};  // "host" or "host:port", tried in turn; port 5672, with tls 5671
  std::string virtual_host = "/";
  std::string username = "guest";
  std::string password_file = {};  // holds the password, one line; read at each connection
  bool tls = false;
  std::string ca_file = {};           // whom to trust, PEM; empty: whom the machine trusts
  std::string certificate_file = {};  // ours, if the server wants one, with key_file
  std::string key_file = {};
  std::chrono::milliseconds heartbeat = std::chrono::seconds(10);  // a server silent for twice as long is given up
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);
};

// Messages are acknowledged when they are on stable storage. One that the server sends again is left out if its
// publisher gave it a message_id.
struct RabbitMqOptions {
  RabbitMqServer server = {};
  std::vector<std::string> queues = {};  // their names without commas
  // Consumers of each queue, each a split. With several, a message that is sent again may reach another one, which does
  // not know its id, and the order of the queue is lost.
  std::uint32_t receivers = 1;
  std::uint16_t prefetch_count = 1000;            // messages under way to a receiver, which holds so many in memory
  std::uint64_t max_message_bytes = 16ULL << 20;  // larger ones are rejected, to the queue's dead letter exchange
  bool declare = false;                           // make a queue that is not there, durable
  std::string queue_type = "classic";             // of a queue that is made; or "quorum"
  std::string dead_letter_exchange = {};          // of a queue that is made
  std::string exchange = {};                      // bind the queues to this exchange, which must be there
  std::vector<std::string> binding_keys = {};     // with exchange; without commas
};

// At least once: a batch that is written again after a failure has the same message_ids.
struct RabbitMqSinkOptions {
  RabbitMqServer server = {};
  std::string exchange = {};     // empty: the default exchange, where the routing key is the name of a queue
  std::string routing_key = {};  // of rows without a key
  bool mandatory = true;         // a message that no queue takes fails the job; false: it is dropped
  std::string content_type = {};
};

// A message, as the function given to ToRabbitMq makes it.
struct RabbitMqOutput {
  std::optional<std::string> routing_key = {};  // nullopt: that of the options
  std::string body = {};
};

namespace detail {

inline std::string JoinTexts(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) {
    if (!all.empty()) all += ',';
    all += text;
  }
  return all;
}

inline engine::Options ToMap(const RabbitMqServer& server) {
  return {{"hosts", JoinTexts(server.hosts)},
          {"virtual_host", server.virtual_host},
          {"username", server.username},
          {"password_file", server.password_file},
          {"tls", server.tls ? "true" : "false"},
          {"ca_file", server.ca_file},
          {"certificate_file", server.certificate_file},
          {"key_file", server.key_file},
          {"heartbeat_ms", std::to_string(server.heartbeat.count())},
          {"connect_timeout_ms", std::to_string(server.connect_timeout.count())}};
}

inline engine::Options ToMap(const RabbitMqOptions& options) {
  engine::Options map = ToMap(options.server);
  map.insert({{"queues", JoinTexts(options.queues)},
              {"receivers", std::to_string(options.receivers)},
              {"prefetch_count", std::to_string(options.prefetch_count)},
              {"max_message_bytes", std::to_string(options.max_message_bytes)},
              {"declare", options.declare ? "true" : "false"},
              {"queue_type", options.queue_type},
              {"dead_letter_exchange", options.dead_letter_exchange},
              {"exchange", options.exchange},
              {"binding_keys", JoinTexts(options.binding_keys)}});
  return map;
}

inline engine::Options ToMap(const RabbitMqSinkOptions& options) {
  engine::Options map = ToMap(options.server);
  map.insert({{"exchange", options.exchange},
              {"routing_key", options.routing_key},
              {"mandatory", options.mandatory ? "true" : "false"},
              {"content_type", options.content_type}});
  return map;
}

}  // namespace detail
}  // namespace millrace
