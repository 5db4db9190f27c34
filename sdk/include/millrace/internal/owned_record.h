// A record of a source with all its bytes in one piece of memory of its own, shared by its copies. R is a struct with
// the views key, value and topic and the span headers; its other fields are copied as they are. Immutable.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine.h"

namespace millrace::detail {

template <class R>
class OwnedRecord {
 public:
  explicit OwnedRecord(const R& from) : record_(from) {
    std::size_t size = from.key.size() + from.value.size() + from.topic.size();
    for (const engine::Header& header : from.headers) size += header.name.size() + header.value.size();
    auto memory = std::make_shared<Memory>();
    memory->bytes.resize(size);
    char* at = memory->bytes.data();
    record_.key = Copy(from.key, at);
    record_.value = Copy(from.value, at);
    record_.topic = Copy(from.topic, at);
    memory->headers.reserve(from.headers.size());
    for (const engine::Header& header : from.headers) {
      const std::string_view name = Copy(header.name, at);
      memory->headers.push_back({name, Copy(header.value, at)});
    }
    record_.headers = memory->headers;
    memory_ = std::move(memory);
  }
  const R& record() const { return record_; }

 private:
  struct Memory {
    std::vector<char> bytes;
    std::vector<engine::Header> headers;
  };
  static std::string_view Copy(std::string_view from, char*& at) {
    if (!from.empty()) std::memcpy(at, from.data(), from.size());
    const std::string_view copy(at, from.size());
    at += from.size();
    return copy;
  }

  R record_;
  std::shared_ptr<const Memory> memory_;
};

}  // namespace millrace::detail
