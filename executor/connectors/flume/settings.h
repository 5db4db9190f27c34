// The options of the Flume source, read and checked.
//
//   MR_ASSIGN_OR_RETURN(FlumeSettings settings, ReadFlumeSettings(description));
//
// Plain data. Errors are InvalidArgument and name the operator, the option and the remedy. Whether the certificate can
// be read is asked where the receiver runs, since the file is there.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "millrace/engine.h"

namespace millrace {

struct FlumeSettings {
  std::string where = "source 'Flume' (flume)";  // for messages
  std::string bind = "127.0.0.1";                // an address of the machine, or 0.0.0.0 or :: for all of them
  std::uint16_t port = 0;
  std::uint16_t ports = 1;      // the first free one of so many, from `port` on
  std::uint32_t receivers = 1;  // splits
  std::string id_header = {};   // names the header that is the same when an event comes again; empty: none
  std::string key_header = {};  // names the header that becomes the key; empty: none
  std::uint32_t max_connections = 0;
  std::uint32_t max_frame_bytes = 0;
  std::uint32_t max_batch_events = 0;
  std::string certificate = {};  // PEM files; both or none
  std::string private_key = {};
};

absl::StatusOr<FlumeSettings> ReadFlumeSettings(const engine::OperatorDescription& description);

}  // namespace millrace
