// StateLog: an operator's memory of pieces of bytes by key group and number, such as the panes of a window. A piece is
// written once, read back only when the state is restored, and deleted when it is too old.
//
//   StateLog panes(state, "panes", [&](std::uint32_t group, std::uint64_t batch, std::string_view data) { … });
//   panes.Append(group, batch, std::move(data));
//   panes.Delete(group, batch - length);
//
// With either backend what the operator needs of the pieces is in memory, made again by the callback, in the order of
// groups and numbers. One thread at a time. Errors: CodecError for damaged keys, whatever the store throws.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/byte_stream.h"
#include "millrace/internal/state.h"

namespace millrace::detail {

class StateLog : public StatePart {
 public:
  using Visit = std::function<void(std::uint32_t group, std::uint64_t number, std::string_view data)>;

  StateLog(OperatorState& owner, std::string_view name, Visit on_load)
      : prefix_(owner.Register(*this, name)), store_(owner.setup().store), on_load_(std::move(on_load)) {}

  void Append(std::uint32_t group, std::uint64_t number, std::string data) {
    std::string key = KeyBytes(group, number);
    if (store_ != nullptr) return store_->Put(key, data);
    bytes_ += data.size();
    changes_[std::move(key)] = std::move(data);
  }
  void Delete(std::uint32_t group, std::uint64_t number) {
    std::string key = KeyBytes(group, number);
    if (store_ != nullptr) return store_->Delete(key);
    std::optional<std::string>& change = changes_[std::move(key)];
    if (change) bytes_ -= change->size();
    change.reset();
  }

  void Load(std::string_view key, std::string_view value) override {
    if (key.size() != 10) ByteReader::Fail("a state log's key is not 10 bytes long");
    const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(key[i])}; };
    std::uint64_t number = 0;
    for (std::size_t i = 2; i < 10; ++i) number = number << 8 | byte(i);
    on_load_(static_cast<std::uint32_t>(byte(0) << 8 | byte(1)), number, value);
  }
  void Loaded() override {
    if (store_ == nullptr) return;
    std::string to = prefix_;
    ++to.back();  // the prefix ends with a zero byte
    store_->Scan(prefix_, to, [&](std::string_view key, std::string_view value) {
      Load(key.substr(prefix_.size()), value);
      return true;
    });
  }
  void TakeChanges(engine::StateChanges& changes) override {
    for (const auto& [key, data] : changes_) {
      if (data) {
        changes.Put(key, *data);
      } else {
        changes.Delete(key);
      }
    }
    changes_.clear();
    bytes_ = 0;
  }
  std::uint64_t bytes() const override { return bytes_; }

 private:
  std::string KeyBytes(std::uint32_t group, std::uint64_t number) const {
    std::string key = prefix_;
    AppendGroup(group, key);
    for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
    return key;
  }

  const std::string prefix_;
  engine::StateStore* const store_;
  const Visit on_load_;
  std::map<std::string, std::optional<std::string>> changes_;  // in memory: since they were last taken
  std::uint64_t bytes_ = 0;
};

}  // namespace millrace::detail
