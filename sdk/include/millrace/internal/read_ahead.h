// Reads the records (key, value) of a block a few at a time: the memory that a table will look at for each of them is
// asked for before the first is looked up, so that the waits overlap.
//
//   ReadAhead<BlockKey, V>(data, table, [&](std::uint64_t hash, BlockKey&& key, V&& value) { … });
//
// The table has PrefetchSlot(hash) and PrefetchEntry(hash). Records are visited in order; keys may be views of `data`.
// Errors: CodecError for a damaged block, what visit throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/record_array.h"
#include "millrace/internal/shuffle_block.h"

namespace millrace::detail {

template <class Key, class Value, class Table, class Visit>
void ReadAhead(std::string_view data, const Table& table, const Visit& visit) {
  constexpr std::size_t kRecords = 32;
  struct Record {
    std::uint64_t hash;
    Key key;
    Value value;
  };
  RecordArray<Record> records;
  records.Reserve(kRecords);
  BlockReader block(data);
  for (bool more = true; more;) {
    while (records.size() < kRecords && (more = block.Next())) {
      Key key = Decode<Key>(block.in());
      const std::uint64_t hash = HashOf(key);
      table.PrefetchSlot(hash);
      records.Emplace(hash, std::move(key), Decode<Value>(block.in()));
    }
    for (const Record& record : records.records()) table.PrefetchEntry(record.hash);
    for (std::size_t i = 0; i < records.size(); ++i) {
      visit(records[i].hash, std::move(records[i].key), std::move(records[i].value));
    }
    records.Clear();
  }
}

}  // namespace millrace::detail
