#include "executor/state/rocks_state.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "common/log.h"

namespace millrace {
namespace {

// So much is written to the database at once: a snapshot, which must wait for the rest, then waits little.
constexpr std::size_t kQueuedBytes = std::size_t{1} << 20;
// A set's own limits, whatever the budget: below, files are too small; above, sorting one takes too long.
constexpr std::size_t kFewestSetBytes = std::size_t{64} << 10;
constexpr std::size_t kMostSetBytes = std::size_t{16} << 20;
constexpr std::size_t kEntryOverhead = 32;

void RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) log::Warn("state could not be removed", {{"dir", path}, {"error", error.message()}});
}

}  // namespace

RocksState::RocksState(std::string dir, std::uint64_t memory_budget_bytes)
    : dir_(std::move(dir)), memory_budget_bytes_(memory_budget_bytes), memory_(MakeRocksMemory(memory_budget_bytes)) {
  RemoveTree(dir_);
}

RocksState::~RocksState() {
  MR_CHECK(stores_ == 0);
  database_.reset();
  RemoveTree(dir_);
}

std::shared_ptr<RocksDatabase> RocksState::current() const {
  std::lock_guard lock(mutex_);
  return database_;
}

absl::StatusOr<std::shared_ptr<RocksDatabase>> RocksState::Database() {
  std::lock_guard lock(mutex_);
  if (database_ && !database_->broken()) return database_;
  if (database_) log::Warn("the database of state on disk has failed; a new one takes over", {{"dir", dir_}});
  database_.reset();
  MR_ASSIGN_OR_RETURN(database_, RocksDatabase::Open(Concat(dir_, "/db-", generation_++), memory_));
  return database_;
}

absl::StatusOr<std::unique_ptr<RocksStore>> RocksState::Load(EntryCursor& entries, std::shared_ptr<ChangeLog> log) {
  MR_ASSIGN_OR_RETURN(auto database, Database());
  const std::uint64_t space = next_space_++;
  auto store = std::make_unique<RocksStore>(*this, database, space, std::move(log));
  MR_RETURN_IF_ERROR(database->Load(space, entries));
  return store;
}

// A quarter of the budget for all stores, and each may have two sets at a time: one is being saved, one filled.
std::size_t RocksState::write_set_limit() const {
  const std::uint64_t each = memory_budget_bytes_ / 8 / std::max<std::uint64_t>(stores_, 1);
  return std::clamp<std::size_t>(each, kFewestSetBytes, kMostSetBytes);
}

std::uint64_t RocksState::memory_bytes() const { return MemoryUsed(*memory_); }
std::uint64_t RocksState::disk_bytes() const {
  const auto database = current();
  return database ? database->disk_bytes() : 0;
}
std::uint64_t RocksState::entries() const {
  const auto database = current();
  return database ? database->entries() : 0;
}

RocksStore::RocksStore(RocksState& state, std::shared_ptr<RocksDatabase> database, std::uint64_t space,
                       std::shared_ptr<ChangeLog> log)
    : state_(state), database_(std::move(database)), space_(space), log_(std::move(log)) {
  ++state_.stores_;
}

RocksStore::~RocksStore() {
  if (const absl::Status status = database_->Drop(space_); !status.ok()) {
    log::Warn("state of a partition could not be removed",
              {{"stage", log_->task().stage}, {"partition", log_->task().partition}, {"error", Message(status)}});
  }
  --state_.stores_;
}

void RocksStore::Require(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
  if (!status_.ok()) throw std::runtime_error(Message(status_));
}

bool RocksStore::Get(std::string_view key, std::string& value) {
  Require(status_);
  if (const WriteSet::Entry* entry = recent_.Find(key)) {
    value.assign(entry->value());
    return !entry->deleted;
  }
  auto found = database_->Get(space_, key, value);
  Require(found.status());
  return *found;
}

template <class Act>
void RocksStore::Write(std::size_t bytes, Act&& act) {
  Require(status_);
  if (scans_ > 0) Require(FailedPrecondition("state was written to while it was being scanned"));
  uncommitted_ = true;
  const std::uint32_t index = act();
  if (!std::exchange(recent_.entries()[index].queued, true)) {
    queue_.push_back(index);
    queued_bytes_ += bytes + kEntryOverhead;
  }
  Require(MakeRoom());
}

void RocksStore::Put(std::string_view key, std::string_view value) {
  Write(key.size() + value.size(), [&] { return recent_.Put(key, value); });
}

void RocksStore::Delete(std::string_view key) {
  Write(key.size(), [&] { return recent_.Delete(key); });
}

// What is in the database is enough to scan, once all is there.
void RocksStore::Scan(std::string_view from, std::string_view to,
                      const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  Require(status_);
  Require(Flush());
  struct Scanning {
    explicit Scanning(int& c) : count(c) { ++count; }
    ~Scanning() { --count; }
    int& count;
  } const scanning(scans_);
  Require(database_->Scan(space_, from, to, visit));
}

absl::Status RocksStore::Flush() {
  if (queue_.empty()) return absl::OkStatus();
  // In order they go into the memtable faster: the place of each is near that of the one before.
  std::sort(queue_.begin(), queue_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return recent_.entries()[a].key() < recent_.entries()[b].key();
  });
  MR_RETURN_IF_ERROR(database_->Write(space_, recent_.entries(), queue_));
  for (const std::uint32_t index : queue_) recent_.entries()[index].queued = false;
  queue_.clear();
  queued_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status RocksStore::MakeRoom() {
  const std::size_t limit = state_.write_set_limit();
  const std::size_t bytes = recent_.bytes();
  memory_bytes_ = bytes;
  if (queued_bytes_ >= std::min(kQueuedBytes, limit / 2) || bytes >= limit) MR_RETURN_IF_ERROR(Flush());
  if (bytes < limit) return absl::OkStatus();
  memory_bytes_ = 0;
  return log_->AddOnDisk(std::exchange(recent_, WriteSet()));
}

absl::Status RocksStore::Commit() {
  uncommitted_ = false;
  return status_;
}

absl::Status RocksStore::GiveChanges() {
  MR_RETURN_IF_ERROR(status_);
  if (uncommitted_) {
    return FailedPrecondition("the state of stage ", log_->task().stage, " partition ", log_->task().partition,
                              " has writes of a task that is not committed");
  }
  status_ = Flush();
  MR_RETURN_IF_ERROR(status_);
  memory_bytes_ = 0;
  // The changes before these may still be waiting to be saved: then memory is theirs.
  if (log_->memory_bytes() == 0) {
    log_->Add(std::exchange(recent_, WriteSet()));
  } else {
    status_ = log_->AddOnDisk(std::exchange(recent_, WriteSet()));
  }
  return status_;
}

}  // namespace millrace
