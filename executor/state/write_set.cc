#include "executor/state/write_set.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "common/status.h"
#include "executor/state/state_file.h"

namespace millrace {
namespace {

constexpr std::size_t kFirstSlots = 64;
constexpr std::size_t kFirstPieceBytes = std::size_t{4} << 10;
constexpr std::size_t kMostPieceBytes = std::size_t{256} << 10;

std::uint32_t HashOf(std::string_view key) { return static_cast<std::uint32_t>(XXH3_64bits(key.data(), key.size())); }

void CheckLimits(std::string_view key, std::string_view value) {
  if (key.size() > kMaxStateKeyBytes || value.size() > kMaxStateValueBytes) {
    throw std::runtime_error(Concat("an entry of state is too long: its key has ", key.size(), " bytes of at most ",
                                    kMaxStateKeyBytes, ", its value ", value.size(), " of at most ",
                                    kMaxStateValueBytes, "; keep less under one key"));
  }
}

// Eight bytes of a key as a number that orders like them; missing ones count as zeros.
std::uint64_t OrderOf(std::string_view key, std::size_t from) {
  std::uint64_t order = 0;
  for (std::size_t i = from; i < from + 8; ++i) {
    order = order << 8 | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0U);
  }
  return order;
}

std::size_t SharedByAll(const std::vector<WriteSet::Entry>& entries) {
  const std::string_view first = entries.empty() ? std::string_view() : entries.front().key();
  std::size_t shared = first.size();
  for (const auto& entry : entries) {
    shared = std::min<std::size_t>(shared, entry.key_bytes);
    while (std::memcmp(entry.data, first.data(), shared) != 0) --shared;
  }
  return shared;
}

class SetCursor final : public EntryCursor {
 public:
  explicit SetCursor(std::shared_ptr<const SortedSet> set) : set_(std::move(set)) {}
  absl::StatusOr<bool> Next() override {
    if (at_ == set_->entries().size()) return false;
    const WriteSet::Entry& entry = set_->entries()[at_++];
    key_ = entry.key();
    value_ = entry.value();
    deleted_ = entry.deleted;
    return true;
  }

 private:
  const std::shared_ptr<const SortedSet> set_;
  std::size_t at_ = 0;
};

}  // namespace

const WriteSet::Entry* WriteSet::Find(std::string_view key) const {
  if (entries_.empty()) return nullptr;
  const std::uint32_t hash = HashOf(key);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at] != 0; at = (at + 1) & mask) {
    const Entry& entry = entries_[slots_[at] - 1];
    if (entry.hash == hash && entry.key() == key) return &entry;
  }
  return nullptr;
}

std::uint32_t WriteSet::Set(std::string_view key, std::string_view value, bool deleted) {
  CheckLimits(key, value);
  if ((entries_.size() + 1) * 2 > slots_.size()) Grow();
  const std::uint32_t hash = HashOf(key);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    const Entry& entry = entries_[slots_[at] - 1];
    if (entry.hash == hash && entry.key() == key) break;
  }
  const bool known = slots_[at] != 0;
  if (!known) {
    entries_.push_back({nullptr, 0, 0, hash, false, false});
    slots_[at] = static_cast<std::uint32_t>(entries_.size());
    payload_bytes_ += key.size();
  }
  Entry& entry = entries_[slots_[at] - 1];
  // A value that is not longer than the one before takes its place.
  char* data =
      known && value.size() <= entry.value_bytes ? const_cast<char*>(entry.data) : Allocate(key.size() + value.size());
  if (data != entry.data) std::memcpy(data, key.data(), key.size());
  if (!value.empty()) std::memcpy(data + key.size(), value.data(), value.size());
  payload_bytes_ += value.size() - entry.value_bytes;
  entry.data = data;
  entry.key_bytes = static_cast<std::uint32_t>(key.size());
  entry.value_bytes = static_cast<std::uint32_t>(value.size());
  entry.deleted = deleted;
  return slots_[at] - 1;
}

char* WriteSet::Allocate(std::size_t bytes) {
  if (bytes > free_bytes_) {
    const std::size_t piece = std::max(bytes, std::clamp(arena_bytes_ / 2, kFirstPieceBytes, kMostPieceBytes));
    arena_.push_back(std::make_unique_for_overwrite<char[]>(piece));
    free_ = arena_.back().get();
    free_bytes_ = piece;
    arena_bytes_ += piece;
  }
  free_bytes_ -= bytes;
  return std::exchange(free_, free_ + bytes);
}

void WriteSet::Grow() {
  slots_.assign(std::max(kFirstSlots, slots_.size() * 2), 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t at = entries_[i].hash & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

std::size_t WriteSet::bytes() const {
  return arena_bytes_ + entries_.capacity() * sizeof(Entry) + slots_.size() * sizeof(std::uint32_t);
}

// Keys begin alike, with the names of operator and state: what follows decides nearly always, and comparing numbers
// that lie together is several times faster than comparing keys all over the memory.
SortedSet::SortedSet(WriteSet set) : set_(std::move(set)) {
  std::vector<WriteSet::Entry>& entries = set_.entries_;
  set_.slots_ = std::vector<std::uint32_t>();
  const std::size_t shared = SharedByAll(entries);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> order(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    order[i] = {OrderOf(entries[i].key(), shared), static_cast<std::uint32_t>(i)};
  }
  std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : entries[a.second].key() < entries[b.second].key();
  });
  std::vector<WriteSet::Entry> sorted;
  sorted.reserve(entries.size());
  for (const auto& [ignored, at] : order) sorted.push_back(entries[at]);
  entries = std::move(sorted);
}

std::unique_ptr<EntryCursor> SortedSet::Read(std::shared_ptr<const SortedSet> set) {
  return std::make_unique<SetCursor>(std::move(set));
}

}  // namespace millrace
