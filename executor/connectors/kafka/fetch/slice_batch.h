// The records of a range that was fetched directly, read where the fetch answer left them: nothing is copied.
// One thread at a time; may be freed on any thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "executor/connectors/kafka/fetch/record_set.h"
#include "executor/connectors/source.h"

namespace millrace::kafka {

class SliceBatch final : public RecordBatch {
 public:
  SliceBatch(std::shared_ptr<const std::string> topic, std::int32_t partition, bool headers,
             std::vector<RecordSlice> slices)
      : topic_(std::move(topic)), partition_(partition), with_headers_(headers), slices_(std::move(slices)) {}

  std::span<const engine::SourceRecord> Next() override;

 private:
  bool Walk(engine::SourceRecord& record);

  const std::shared_ptr<const std::string> topic_;
  const std::int32_t partition_;
  const bool with_headers_;
  const std::vector<RecordSlice> slices_;
  std::size_t slice_ = 0;
  std::optional<RecordWalker> walker_;  // of that slice
  std::vector<engine::SourceRecord> records_;
  std::vector<engine::Header> parsed_;               // of one record
  std::deque<std::vector<engine::Header>> headers_;  // of all: records point into it
};

}  // namespace millrace::kafka
