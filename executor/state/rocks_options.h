// How RocksDB is set up for state, and how its memory is kept under one cap. Included by rocks_database.cc alone.
//
// The cap is divided: half of it is a block cache, which holds data, indices and filters, and is charged with what
// memtables and filters under construction take, so that these push blocks out instead of adding to them. Memtables are
// at most three sixteenths. A quarter is for write sets (rocks_state.h). The rest is for what nothing counts: buffers
// of compactions and of files being read and written, tables' small parts.
//
// The cache has no strict limit: an insertion never fails. It passes its capacity only by what is in use at this
// moment, which is bounded by the number of readers, a few blocks each. So too little memory makes reads go to the disk
// and writes wait for flushes, and never makes either fail.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/options.h>
#include <rocksdb/write_buffer_manager.h>

#include <cstdint>
#include <memory>

namespace millrace {

struct RocksMemory {
  explicit RocksMemory(std::uint64_t bytes);

  const std::uint64_t bytes;
  const std::shared_ptr<rocksdb::Cache> cache;
  const std::shared_ptr<rocksdb::WriteBufferManager> memtables;
};

rocksdb::Options StateDatabaseOptions(const RocksMemory& memory);

}  // namespace millrace
