// Why a server cannot be reached by TCP: librabbitmq says no more than "a socket error occurred".
//
// Connects and hangs up, which takes at most `timeout_ms` (plus what the name service takes). Thread-safe.
#pragma once

#include <string>

#include "executor/connectors/rabbitmq/connection_options.h"

namespace millrace::rabbitmq {

// "Connection refused"; empty when it can be reached now.
std::string WhyUnreachable(const Endpoint& endpoint, int timeout_ms);

}  // namespace millrace::rabbitmq
