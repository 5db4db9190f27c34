#include "client/cli/json.h"

#include <google/protobuf/util/json_util.h>

namespace millrace::cli {
namespace {

// Strings of a message are UTF-8 already: protobuf refuses others when it parses. So the conversion cannot fail.
std::string Json(const google::protobuf::Message& message, bool indented) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indented;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  (void)google::protobuf::util::MessageToJsonString(message, &text, options);
  if (text.empty() || text.back() != '\n') text += '\n';
  return text;
}

}  // namespace

std::string JsonDocument(const google::protobuf::Message& message) { return Json(message, true); }
std::string JsonLine(const google::protobuf::Message& message) { return Json(message, false); }

}  // namespace millrace::cli
