// protobuf messages as JSON for scripts: field names as in control.proto, all fields present, 64-bit numbers as strings
// (as protobuf's JSON mapping has it).
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace millrace::cli {

// Indented, ends with a newline.
std::string JsonDocument(const google::protobuf::Message& message);
// On one line, ends with a newline.
std::string JsonLine(const google::protobuf::Message& message);

}  // namespace millrace::cli
