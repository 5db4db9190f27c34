// Texts between std and librabbitmq, both ways. Views point into the other's memory.
#pragma once

#include <amqp.h>

#include <string_view>

namespace millrace::rabbitmq {

inline std::string_view Text(amqp_bytes_t bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

inline amqp_bytes_t Bytes(std::string_view text) {
  // librabbitmq takes a null pointer for "not set".
  return {text.size(), const_cast<char*>(text.data() == nullptr ? "" : text.data())};
}

}  // namespace millrace::rabbitmq
