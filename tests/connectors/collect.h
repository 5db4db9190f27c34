// Small things that every connector test needs: descriptions, draining and collecting of batches.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/status.h"
#include "executor/connectors/sink.h"
#include "executor/connectors/source.h"
#include "tests/common/eventually.h"

namespace millrace {

inline engine::OperatorDescription Describe(std::string connector, engine::Options options) {
  engine::OperatorDescription description;
  description.uid = "x";
  description.connector = std::move(connector);
  description.options = std::move(options);
  return description;
}

// A record with its text copied out of the batch.
struct Seen {
  std::string key;
  std::string value;
  std::int64_t position = 0;
  bool operator==(const Seen&) const = default;
};

inline std::vector<Seen> Drain(RecordBatch& batch) {
  std::vector<Seen> all;
  for (auto chunk = batch.Next(); !chunk.empty(); chunk = batch.Next()) {
    EXPECT_LE(chunk.size(), engine::kChunkRecords);
    for (const engine::SourceRecord& r : chunk) all.push_back({std::string(r.key), std::string(r.value), r.position});
  }
  return all;
}

// Closes ranges until `count` records have come; `position` goes along.
inline std::vector<Seen> Collect(SplitReader& reader, std::string& position, std::size_t count) {
  std::vector<Seen> all;
  EXPECT_TRUE(Eventually([&] {
    auto range = reader.Close(position, 0);
    EXPECT_TRUE(range.ok()) << range.status();
    if (!range.ok()) return true;
    position = range->end;
    for (Seen& seen : Drain(*range->data)) all.push_back(std::move(seen));
    return all.size() >= count;
  })) << "only "
      << all.size() << " of " << count << " records";
  return all;
}

inline std::vector<std::string> Values(const std::vector<Seen>& records) {
  std::vector<std::string> values;
  for (const Seen& record : records) values.push_back(record.value);
  return values;
}

template <class T>
std::string ErrorOf(const absl::StatusOr<T>& result) {
  return result.ok() ? "OK" : Message(result.status());
}

}  // namespace millrace
