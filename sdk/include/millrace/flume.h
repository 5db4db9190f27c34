// Events that Flume agents send: the options of JobContext::Flume and JobContext::FlumeText.
//
//   auto events = ctx.Flume({.bind = "0.0.0.0", .port = 4141, .ports = 4, .id_header = "uuid"});
//
// The job listens where one of its executors runs, and a Thrift sink of an agent connects to it;
// docs/connectors/flume.md says how agents find it when it moves. A batch is answered when it is safe, so nothing that
// an agent let go of is lost. With id_header an event that is sent again counts once.
//
// Plain data, copied into the graph.
#pragma once

#include <cstdint>
#include <string>

#include "millrace/engine.h"

namespace millrace {

struct FlumeOptions {
  std::string bind = "127.0.0.1";              // an address of each executor's machine; "0.0.0.0" or "::": all of them
  std::uint16_t port = 0;                      // must be given
  std::uint16_t ports = 0;                     // the first free one of so many, from `port` on; 0: as many as receivers
  std::uint32_t receivers = 1;                 // that listen at once, each on a port of its own
  std::string id_header = {};                  // the header that is the same when an event comes again; empty: none is
  std::string key_header = {};                 // the header that becomes Message::key; empty: none does
  std::uint32_t max_connections = 64;          // of each receiver
  std::uint32_t max_frame_bytes = 16'384'000;  // a batch as it is sent; Flume's own sink sends no more
  std::uint32_t max_batch_events = 100'000;
  std::string certificate = {};  // TLS: PEM files on the executors' machines, both or none
  std::string private_key = {};
};

namespace detail {

inline engine::Options ToMap(const FlumeOptions& options) {
  const std::uint32_t ports = options.ports != 0 ? options.ports : options.receivers;
  engine::Options map = {{"bind", options.bind},
                         {"port", std::to_string(options.port)},
                         {"ports", std::to_string(ports)},
                         {"receivers", std::to_string(options.receivers)},
                         {"max_connections", std::to_string(options.max_connections)},
                         {"max_frame_bytes", std::to_string(options.max_frame_bytes)},
                         {"max_batch_events", std::to_string(options.max_batch_events)}};
  if (!options.id_header.empty()) map["id_header"] = options.id_header;
  if (!options.key_header.empty()) map["key_header"] = options.key_header;
  if (!options.certificate.empty()) map["certificate"] = options.certificate;
  if (!options.private_key.empty()) map["private_key"] = options.private_key;
  return map;
}

}  // namespace detail
}  // namespace millrace
