// What json.h reads with: one simdjson parser a thread, with a copy of the record in front of the padding that the
// parser may read. It grows with the longest record and is given back after one over 4 MiB. Not for job authors.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "millrace/formats/format_error.h"

namespace millrace::detail {

namespace ondemand = simdjson::ondemand;

class JsonDocument {
 public:
  // At most one at a time and thread.
  explicit JsonDocument(std::string_view record) : record_(record), held_(Mine()) {
    if (held_.capacity < record.size()) Grow();
    if (!record.empty()) std::memcpy(held_.bytes.get(), record.data(), record.size());
    std::memset(held_.bytes.get() + record.size(), 0, simdjson::SIMDJSON_PADDING);
    const auto error =
        held_.parser.iterate(held_.bytes.get(), record.size(), held_.capacity + simdjson::SIMDJSON_PADDING)
            .get(document_);
    if (error != simdjson::SUCCESS) Fail({}, 0, "this is no JSON (" + Text(error) + ")", record);
  }
  ~JsonDocument() {
    if (held_.capacity > kKept) held_ = Held();
  }
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  ondemand::document& root() { return document_; }
  bool AtEnd() { return document_.current_location().error() == simdjson::OUT_OF_BOUNDS; }

  // A place in the copy as the place in the record.
  std::size_t Offset(const char* at) const {
    const char* const begin = held_.bytes.get();
    return at < begin ? 0 : std::min(static_cast<std::size_t>(at - begin), record_.size());
  }
  std::string_view InRecord(std::string_view copied) const {
    return record_.substr(Offset(copied.data()), copied.size());
  }

  // The value's own text for a scalar, else what it begins with; never with blanks at its end.
  static std::string_view Token(ondemand::value& value) {
    std::string_view token = value.raw_json_token();
    while (!token.empty() && IsBlank(token.back())) token.remove_suffix(1);
    return token;
  }

  // For a name in an object: it has been found to be closed.
  std::string_view RawName(const char* name) const {
    const char* const end = held_.bytes.get() + record_.size();
    const char* at = name;
    while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
    return {name, static_cast<std::size_t>(std::min(at, end) - name)};
  }

  [[noreturn]] void FailWanted(const FieldPath& path, std::string_view wanted, std::string_view token) const {
    const std::size_t at = Offset(token.data());
    throw FormatError(path.Text(), at,
                      std::string(wanted) + " is needed, and there is " + Found(record_.substr(at, token.size())));
  }
  [[noreturn]] void FailSyntax(const FieldPath& path, simdjson::error_code error) {
    const char* at = held_.bytes.get();
    if (document_.current_location().get(at) != simdjson::SUCCESS) at = held_.bytes.get() + record_.size();
    const std::size_t offset = Offset(at);
    Fail(path, offset, "the JSON is damaged (" + Text(error) + ")", record_.substr(offset));
  }
  [[noreturn]] static void Fail(const FieldPath& path, std::size_t offset, const std::string& reason,
                                std::string_view found) {
    throw FormatError(path.Text(), offset, reason + ": " + Found(found));
  }

 private:
  static constexpr std::size_t kKept = 4 << 20;

  struct Held {
    ondemand::parser parser;
    std::unique_ptr<char[]> bytes;
    std::size_t capacity = 0;
  };

  static Held& Mine() {
    thread_local Held held;
    return held;
  }
  static bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  static std::string Text(simdjson::error_code error) {
    std::string text = simdjson::error_message(error);
    while (!text.empty() && (text.back() == '.' || text.back() == ' ')) text.pop_back();
    return text;
  }

  void Grow() {
    if (record_.size() > kMost)
      throw FormatError("", 0, "this record is longer than the 2 GiB that can be read as JSON");
    const std::size_t capacity = std::bit_ceil(std::max<std::size_t>(record_.size(), 1024));
    held_.bytes = std::make_unique_for_overwrite<char[]>(capacity + simdjson::SIMDJSON_PADDING);
    held_.capacity = capacity;
    if (held_.parser.allocate(capacity) != simdjson::SUCCESS) {
      held_ = Held();
      throw std::bad_alloc();
    }
  }
  static constexpr std::size_t kMost = std::size_t{1} << 31;

  std::string_view record_;
  Held& held_;
  ondemand::document document_;
};

}  // namespace millrace::detail
