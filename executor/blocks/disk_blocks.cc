#include "executor/blocks/disk_blocks.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "common/block/block_wire.h"
#include "common/io/file.h"
#include "common/log.h"

namespace millrace {
namespace {

constexpr std::string_view kPrefix = "spill-";
constexpr std::size_t kWriteBufferBytes = std::size_t{8} << 20;
constexpr std::size_t kWriteBatchBytes = std::size_t{1} << 20;

rocksdb::Options DatabaseOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 2;
  options.target_file_size_base = std::uint64_t{16} << 20;
  // Only files below level 0 can be deleted whole when a batch goes, so they should sink soon.
  options.level0_file_num_compaction_trigger = 2;
  options.max_open_files = 256;
  options.max_background_jobs = 2;
  // Blocks live for seconds: bytes on disk are cheaper than the processor's time.
  options.compression = rocksdb::kNoCompression;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 1;
  options.max_manifest_file_size = std::uint64_t{1} << 20;
  rocksdb::BlockBasedTableOptions table;
  // A block is read about once, so a cache would only hold it twice.
  table.no_block_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

absl::Status FromRocks(const rocksdb::Status& status, std::string_view doing, const std::string& dir) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = Concat(doing, " ", dir, ": ", status.ToString());
  if (status.IsNotFound()) return NotFound(message);
  if (status.IsCorruption()) return DataLoss(message);
  if (status.IsNoSpace()) return ResourceExhausted(message);
  return Unavailable(message);
}

rocksdb::WriteOptions NoLog() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? ErrnoStatus(error.value(), Concat("cannot remove ", path)) : absl::OkStatus();
}

absl::Status RemoveLeftovers(const std::string& dir) {
  std::error_code error;
  std::filesystem::directory_iterator entries(dir, error);
  if (error == std::errc::no_such_file_or_directory) return absl::OkStatus();
  std::vector<std::string> found;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    if (entries->path().filename().string().starts_with(kPrefix)) found.push_back(entries->path().string());
  }
  if (error) return ErrnoStatus(error.value(), Concat("cannot list ", dir));
  for (const auto& path : found) MR_RETURN_IF_ERROR(RemoveTree(path));
  return absl::OkStatus();
}

}  // namespace

// Deletes its files once the last reader has let go.
struct DiskBlocks::Database {
  Database(std::string database_path, std::unique_ptr<rocksdb::DB> opened)
      : path(std::move(database_path)), db(std::move(opened)) {}
  ~Database() {
    rocksdb::CancelAllBackgroundWork(db.get(), true);
    db.reset();
    if (absl::Status status = RemoveTree(path); !status.ok()) {
      log::Warn("spilled blocks could not be removed", {{"dir", path}, {"error", Message(status)}});
    }
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string path;
  std::unique_ptr<rocksdb::DB> db;
  std::uint64_t newest_batch = 0;  // that was written
};

DiskBlocks::DiskBlocks(std::string dir) : dir_(std::move(dir)), leftovers_(RemoveLeftovers(dir_)) {}
DiskBlocks::~DiskBlocks() = default;

std::shared_ptr<DiskBlocks::Database> DiskBlocks::database() const {
  std::lock_guard lock(mutex_);
  return database_;
}

absl::Status DiskBlocks::Open() {
  if (database()) return absl::OkStatus();
  if (!leftovers_.ok()) leftovers_ = RemoveLeftovers(dir_);
  MR_RETURN_IF_ERROR(leftovers_);
  MR_RETURN_IF_ERROR(MakeDirectories(dir_));
  const std::string path = Concat(dir_, "/", kPrefix, generation_++);
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(DatabaseOptions(), path, &db);
  if (!status.ok()) {
    (void)RemoveTree(path);
    return FromRocks(status, "cannot open spill directory", path);
  }
  auto opened = std::make_shared<Database>(path, std::unique_ptr<rocksdb::DB>(db));
  failed_ = false;
  std::lock_guard lock(mutex_);
  database_ = std::move(opened);
  return absl::OkStatus();
}

std::vector<std::shared_ptr<DiskBlocks::Database>> DiskBlocks::databases() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Database>> all(retired_.rbegin(), retired_.rend());
  if (database_) all.insert(all.begin(), database_);
  return all;
}

void DiskBlocks::Retire() {
  std::lock_guard lock(mutex_);
  if (database_) retired_.push_back(std::move(database_));
  database_.reset();
  failed_ = false;
}

absl::Status DiskBlocks::Write(std::span<const std::shared_ptr<const Block>> blocks) {
  const absl::Status status = TryWrite(blocks);
  if (!absl::IsDataLoss(status)) return status;
  log::Warn("spilled blocks are damaged, new ones go elsewhere", {{"dir", dir_}, {"error", Message(status)}});
  Retire();
  return TryWrite(blocks);
}

absl::Status DiskBlocks::TryWrite(std::span<const std::shared_ptr<const Block>> blocks) {
  MR_RETURN_IF_ERROR(Open());
  const auto database = this->database();
  if (failed_) {
    // Busy: the database is at it by itself, as it is after a full disk (it looks every five seconds). Then Write says
    // what is wrong.
    const rocksdb::Status status = database->db->Resume();
    if (!status.IsBusy()) MR_RETURN_IF_ERROR(FromRocks(status, "cannot write to spill directory", dir_));
  }
  failed_ = true;
  for (const auto& block : blocks) database->newest_batch = std::max(database->newest_batch, block->key.batch);
  rocksdb::WriteBatch batch;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    batch.Put(EncodeId(blocks[i]->id()), ToStored(*blocks[i]).SerializeAsString());
    if (batch.GetDataSize() < kWriteBatchBytes && i + 1 < blocks.size()) continue;
    MR_RETURN_IF_ERROR(FromRocks(database->db->Write(NoLog(), &batch), "cannot write to spill directory", dir_));
    batch.Clear();
  }
  MR_RETURN_IF_ERROR(FromRocks(database->db->Flush(rocksdb::FlushOptions()), "cannot write to spill directory", dir_));
  failed_ = false;
  return absl::OkStatus();
}

// The newest that has it: a block that was damaged in an older one may have been made again.
absl::StatusOr<std::shared_ptr<const Block>> DiskBlocks::Read(const BlockId& id) const {
  absl::StatusOr<std::shared_ptr<const Block>> read = NotFound("block ", ToString(id), " is not on disk");
  for (const auto& database : databases()) {
    read = ReadFrom(*database, id);
    if (!absl::IsNotFound(read.status())) break;
  }
  return read;
}

absl::StatusOr<std::shared_ptr<const Block>> DiskBlocks::ReadFrom(const Database& database, const BlockId& id) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status =
      database.db->Get(rocksdb::ReadOptions(), database.db->DefaultColumnFamily(), EncodeId(id), &value);
  MR_RETURN_IF_ERROR(FromRocks(status, Concat("cannot read block ", ToString(id), " from"), dir_));
  v1::durable::StoredBlock stored;
  if (value.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !stored.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return DataLoss("block ", ToString(id), " in ", dir_, " cannot be decoded");
  }
  std::shared_ptr<const Block> block = FromStored(id.key, std::move(stored));
  MR_RETURN_IF_ERROR(VerifyBlock(*block));
  return block;
}

absl::Status DiskBlocks::DropThrough(std::uint64_t batch) {
  std::vector<std::shared_ptr<Database>> over;  // deleted when no lock is held
  {
    std::lock_guard lock(mutex_);
    std::erase_if(retired_, [&](const std::shared_ptr<Database>& old) {
      if (old->newest_batch > batch) return false;
      over.push_back(old);
      return true;
    });
  }
  const auto database = this->database();
  if (!database) return absl::OkStatus();
  const bool all = batch == std::numeric_limits<std::uint64_t>::max();
  const std::string begin = FirstKeyOfBatch(0);
  // Longer than any key of 0xff bytes, so behind them all.
  const std::string end = all ? std::string(EncodeId({}).size() + 1, '\xff') : FirstKeyOfBatch(batch + 1);
  const rocksdb::Slice from(begin), to(end);
  rocksdb::DB* db = database->db.get();
  // The files first: they give their space back at once and need no compaction.
  rocksdb::Status status = rocksdb::DeleteFilesInRange(db, db->DefaultColumnFamily(), &from, &to, false);
  if (status.ok()) status = db->DeleteRange(NoLog(), db->DefaultColumnFamily(), from, to);
  return FromRocks(status, "cannot drop blocks in", dir_);
}

void DiskBlocks::Wipe() {
  std::shared_ptr<Database> old;
  std::vector<std::shared_ptr<Database>> older;
  std::lock_guard lock(mutex_);
  old.swap(database_);
  older.swap(retired_);
  failed_ = false;
}

std::uint64_t DiskBlocks::disk_bytes() const {
  std::uint64_t all = 0;
  for (const auto& database : databases()) {
    std::uint64_t bytes = 0;
    database->db->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
    all += bytes;
  }
  return all;
}

std::uint64_t DiskBlocks::memory_bytes() const {
  std::uint64_t all = 0;
  for (const auto& database : databases()) {
    std::uint64_t buffers = 0;
    std::uint64_t tables = 0;
    database->db->GetIntProperty(rocksdb::DB::Properties::kSizeAllMemTables, &buffers);
    database->db->GetIntProperty(rocksdb::DB::Properties::kEstimateTableReadersMem, &tables);
    all += buffers + tables;
  }
  return all;
}

}  // namespace millrace
