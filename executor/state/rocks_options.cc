#include "executor/state/rocks_options.h"

#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>

namespace millrace {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

std::shared_ptr<rocksdb::Cache> MakeCache(std::uint64_t bytes) {
  rocksdb::LRUCacheOptions options;
  options.capacity = bytes;
  options.strict_capacity_limit = false;
  // Indices and filters are read much more often than any block of data.
  options.high_pri_pool_ratio = 0.5;
  return rocksdb::NewLRUCache(options);
}

rocksdb::BlockBasedTableOptions TableOptions(const RocksMemory& memory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.cache;
  table.block_size = 8 << 10;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // In pieces of a few KiB, and through the cache: so they are bounded, too.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  const rocksdb::CacheEntryRoleOptions charged{rocksdb::CacheEntryRoleOptions::Decision::kEnabled};
  table.cache_usage_options.options_overrides = {{rocksdb::CacheEntryRole::kFilterConstruction, charged},
                                                 {rocksdb::CacheEntryRole::kBlockBasedTableReader, charged}};
  return table;
}

rocksdb::CompressionType FastestCompression() {
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  return lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

// A log file on a full disk ends the process: writing to a file after it has failed is taken for a bug. What matters
// comes as a status anyway.
class NoLogFile final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace

RocksMemory::RocksMemory(std::uint64_t cap)
    : bytes(cap),
      cache(MakeCache(cap / 2)),
      memtables(std::make_shared<rocksdb::WriteBufferManager>(cap / 16 * 3, cache)) {}

rocksdb::Options StateDatabaseOptions(const RocksMemory& memory) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.write_buffer_manager = memory.memtables;
  options.write_buffer_size = std::clamp(memory.bytes / 16, kMiB, 32 * kMiB);
  // Past these, writes wait: that is the bound while flushes are slow.
  options.max_write_buffer_number = 3;
  // A new key is looked up before it is written: that should not cost a search in the memtable.
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
  options.level_compaction_dynamic_level_bytes = true;
  // The first level is as large as the files that are merged into it at once: were it larger, each of them would have
  // all of it written again.
  options.max_bytes_for_level_base = 4 * options.write_buffer_size;
  options.target_file_size_base = 2 * options.write_buffer_size;
  options.compression = FastestCompression();
  options.compaction_readahead_size = 256 << 10;
  options.writable_file_max_buffer_size = 256 << 10;
  options.max_open_files = 512;
  options.max_background_jobs = 2;
  options.max_bgerror_resume_count = 0;
  // Nothing outlives the process.
  options.avoid_flush_during_shutdown = true;
  options.info_log = std::make_shared<NoLogFile>();
  options.max_manifest_file_size = kMiB;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(memory)));
  return options;
}

}  // namespace millrace
