// For tests of state: entries as plain maps, a cursor over one, and a store that cuts, flips and counts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "executor/state/entry_cursor.h"
#include "executor/state/posix_checkpoint_store.h"
#include "executor/state/state_merge.h"

namespace millrace::testing {

// Nothing: deleted.
using Entries = std::map<std::string, std::optional<std::string>>;

class MapCursor final : public EntryCursor {
 public:
  explicit MapCursor(Entries entries) : entries_(std::move(entries)), at_(entries_.begin()) {}
  absl::StatusOr<bool> Next() override {
    if (at_ == entries_.end()) return false;
    key_ = at_->first;
    deleted_ = !at_->second;
    value_ = deleted_ ? std::string_view() : std::string_view(*at_->second);
    ++at_;
    return true;
  }

 private:
  const Entries entries_;
  Entries::const_iterator at_;
};

// What a cursor gives; an error when its keys do not ascend.
inline absl::StatusOr<Entries> ReadAll(EntryCursor& cursor) {
  Entries entries;
  while (true) {
    MR_ASSIGN_OR_RETURN(const bool more, cursor.Next());
    if (!more) return entries;
    const std::string key(cursor.key());
    if (!entries.empty() && entries.rbegin()->first >= key) return Internal("keys do not ascend");
    entries[key] = cursor.deleted() ? std::nullopt : std::optional<std::string>(cursor.value());
  }
}

inline absl::StatusOr<Entries> ReadFileEntries(CheckpointStore& store, const std::string& name) {
  MR_ASSIGN_OR_RETURN(const auto reader, StateFileReader::Open(store, name));
  return ReadAll(*reader);
}

inline std::unique_ptr<PosixCheckpointStore> OpenStore(const std::string& root) {
  auto store = PosixCheckpointStore::Make({.root = root, .durable = false});
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

inline std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void Overwrite(const std::string& path, const std::string& data) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << data;
}

}  // namespace millrace::testing
