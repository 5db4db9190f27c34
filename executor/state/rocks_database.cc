#include "executor/state/rocks_database.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "common/io/file.h"
#include "common/log.h"
#include "executor/state/rocks_options.h"

namespace millrace {
namespace {

constexpr std::size_t kWriteBatchBytes = std::size_t{256} << 10;
constexpr std::uint64_t kLoadedFileBytes = std::uint64_t{32} << 20;

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Big endian: spaces are in order of their numbers, and the end of one is the begin of the next.
std::string Prefix(std::uint64_t space) {
  std::string prefix;
  for (int shift = 56; shift >= 0; shift -= 8) prefix.push_back(static_cast<char>(space >> shift));
  return prefix;
}

std::string KeyIn(std::uint64_t space, std::string_view key) {
  std::string full = Prefix(space);
  full.append(key);
  return full;
}

rocksdb::WriteOptions NoLog() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

void RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) log::Warn("state could not be removed", {{"dir", path}, {"error", error.message()}});
}

// Makes finished files of entries that come in order.
class TableFiles {
 public:
  TableFiles(const rocksdb::Options& options, std::string folder) : options_(options), folder_(std::move(folder)) {}
  ~TableFiles() {
    writer_.reset();
    for (const std::string& file : files_) (void)RemoveFile(file);
  }

  rocksdb::Status Add(const rocksdb::Slice& key, const rocksdb::Slice& value) {
    if (!writer_) {
      files_.push_back(Concat(folder_, "/", NextName(), ".sst"));
      writer_.emplace(rocksdb::EnvOptions(), options_, nullptr, false);
      if (rocksdb::Status status = writer_->Open(files_.back()); !status.ok()) return status;
    }
    if (rocksdb::Status status = writer_->Put(key, value); !status.ok()) return status;
    return writer_->FileSize() < kLoadedFileBytes ? rocksdb::Status::OK() : Finish();
  }
  rocksdb::Status Finish() {
    if (!writer_) return rocksdb::Status::OK();
    const rocksdb::Status status = writer_->Finish();
    writer_.reset();
    return status;
  }
  const std::vector<std::string>& files() const { return files_; }

 private:
  static std::string NextName() {
    static std::atomic<std::uint64_t> next{0};
    return Concat("load-", next++);
  }

  const rocksdb::Options& options_;
  const std::string folder_;
  std::vector<std::string> files_;
  std::optional<rocksdb::SstFileWriter> writer_;
};

}  // namespace

// Hears of errors on the database's own threads. It must not try to recover by itself: what it does then, beside calls
// that go on, is the least tested part of it.
struct RocksDatabase::Health final : rocksdb::EventListener {
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override { Fail(*status); }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* recover) override {
    *recover = false;
  }
  void Fail(const rocksdb::Status& status) {
    std::lock_guard lock(mutex);
    if (first.ok()) first = status;
  }
  rocksdb::Status error() {
    std::lock_guard lock(mutex);
    return first;
  }

  std::mutex mutex;
  rocksdb::Status first;
};

std::shared_ptr<RocksMemory> MakeRocksMemory(std::uint64_t bytes) { return std::make_shared<RocksMemory>(bytes); }
std::uint64_t MemoryUsed(const RocksMemory& memory) { return memory.cache->GetUsage(); }

RocksDatabase::RocksDatabase(std::string path, std::shared_ptr<RocksMemory> memory)
    : path_(std::move(path)), memory_(std::move(memory)), health_(std::make_shared<Health>()) {}

RocksDatabase::~RocksDatabase() {
  if (db_) rocksdb::CancelAllBackgroundWork(db_.get(), true);
  db_.reset();
  RemoveTree(path_);
}

absl::StatusOr<std::shared_ptr<RocksDatabase>> RocksDatabase::Open(const std::string& path,
                                                                   std::shared_ptr<RocksMemory> memory) {
  MR_RETURN_IF_ERROR(MakeDirectories(ParentDirectory(path)));
  auto database = std::shared_ptr<RocksDatabase>(new RocksDatabase(path, std::move(memory)));
  rocksdb::Options options = StateDatabaseOptions(*database->memory_);
  options.listeners.push_back(database->health_);
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
  MR_RETURN_IF_ERROR(database->Explain(status, "cannot open state folder"));
  database->db_.reset(db);
  return database;
}

bool RocksDatabase::broken() const { return !health_->error().ok(); }

absl::Status RocksDatabase::Explain(const rocksdb::Status& status, std::string_view doing) const {
  if (status.ok()) return absl::OkStatus();
  const std::string message = Concat(doing, " ", path_, ": ", status.ToString());
  if (status.IsNoSpace()) return ResourceExhausted(message, "; make room on that disk");
  return status.IsCorruption() ? DataLoss(message) : Unavailable(message);
}

absl::Status RocksDatabase::CheckRead(const rocksdb::Status& status) const {
  if (status.IsCorruption()) health_->Fail(status);
  return Explain(status, "cannot read state in");
}

// What the database's own threads met says more than what became of the call.
absl::Status RocksDatabase::CheckWrite(const rocksdb::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  health_->Fail(status);
  return Explain(health_->error(), "cannot write state to");
}

absl::StatusOr<bool> RocksDatabase::Get(std::uint64_t space, std::string_view key, std::string& value) const {
  rocksdb::PinnableSlice found;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), KeyIn(space, key), &found);
  if (status.IsNotFound()) return false;
  MR_RETURN_IF_ERROR(CheckRead(status));
  value.assign(found.data(), found.size());
  return true;
}

absl::Status RocksDatabase::Write(std::uint64_t space, std::span<const WriteSet::Entry> entries,
                                  std::span<const std::uint32_t> which) {
  MR_RETURN_IF_ERROR(CheckWrite(health_->error()));
  const std::string prefix = Prefix(space);
  rocksdb::WriteBatch batch;
  for (std::size_t i = 0; i < which.size(); ++i) {
    const WriteSet::Entry& entry = entries[which[i]];
    const rocksdb::Slice key[] = {prefix, ToSlice(entry.key())};
    const rocksdb::Slice value = ToSlice(entry.value());
    MR_RETURN_IF_ERROR(CheckWrite(entry.deleted ? batch.Delete(rocksdb::SliceParts(key, 2))
                                                : batch.Put(rocksdb::SliceParts(key, 2), {&value, 1})));
    if (batch.GetDataSize() < kWriteBatchBytes && i + 1 < which.size()) continue;
    MR_RETURN_IF_ERROR(CheckWrite(db_->Write(NoLog(), &batch)));
    batch.Clear();
  }
  return absl::OkStatus();
}

absl::Status RocksDatabase::Scan(std::uint64_t space, std::string_view from, std::string_view to,
                                 const Visit& visit) const {
  const std::string end = to.empty() ? Prefix(space + 1) : KeyIn(space, to);
  const rocksdb::Slice bound(end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options));
  const std::size_t skip = sizeof space;
  for (at->Seek(KeyIn(space, from)); at->Valid(); at->Next()) {
    if (!visit(ToView(at->key()).substr(skip), ToView(at->value()))) return absl::OkStatus();
  }
  return CheckRead(at->status());
}

absl::Status RocksDatabase::Load(std::uint64_t space, EntryCursor& entries) {
  const rocksdb::Options options = StateDatabaseOptions(*memory_);
  TableFiles files(options, path_);
  std::string key = Prefix(space);
  while (true) {
    MR_ASSIGN_OR_RETURN(const bool more, entries.Next());
    if (!more) break;
    if (entries.deleted()) continue;
    key.resize(sizeof space);
    key.append(entries.key());
    MR_RETURN_IF_ERROR(Explain(files.Add(key, ToSlice(entries.value())), "cannot load state into"));
  }
  MR_RETURN_IF_ERROR(Explain(files.Finish(), "cannot load state into"));
  if (files.files().empty()) return absl::OkStatus();
  // A database that has stopped does not refuse files, as it should, but ends the process.
  MR_RETURN_IF_ERROR(CheckWrite(health_->error()));
  rocksdb::IngestExternalFileOptions ingest;
  ingest.move_files = true;
  ingest.snapshot_consistency = false;
  ingest.write_global_seqno = false;
  return CheckWrite(db_->IngestExternalFile(files.files(), ingest));
}

absl::Status RocksDatabase::Drop(std::uint64_t space) {
  if (broken()) return absl::OkStatus();  // all of it will go soon
  const std::string begin = Prefix(space);
  const std::string end = Prefix(space + 1);
  const rocksdb::Slice from(begin);
  const rocksdb::Slice to(end);
  // The files that hold nothing else give their space back at once.
  rocksdb::Status status = rocksdb::DeleteFilesInRange(db_.get(), db_->DefaultColumnFamily(), &from, &to, false);
  if (status.ok()) status = db_->DeleteRange(NoLog(), db_->DefaultColumnFamily(), from, to);
  return CheckWrite(status);
}

std::uint64_t RocksDatabase::disk_bytes() const {
  std::uint64_t bytes = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
  return bytes;
}

std::uint64_t RocksDatabase::entries() const {
  std::uint64_t count = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kEstimateNumKeys, &count);
  return count;
}

}  // namespace millrace
