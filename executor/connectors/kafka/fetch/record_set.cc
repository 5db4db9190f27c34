#include "executor/connectors/kafka/fetch/record_set.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "common/status.h"
#include "executor/connectors/kafka/fetch/compression.h"
#include "executor/connectors/kafka/fetch/crc32c.h"
#include "executor/connectors/kafka/fetch/wire.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kBeforeLength = 12;  // offset and length
constexpr std::size_t kHeader = 61;        // up to the number of records
constexpr std::size_t kCheckedFrom = 21;   // the attributes
constexpr std::int16_t kCodecMask = 0x07;
constexpr std::int16_t kLogAppendTime = 0x08;
constexpr std::int16_t kTransactional = 0x10;
constexpr std::int16_t kControl = 0x20;
constexpr std::int16_t kAbortMarker = 0;
constexpr std::size_t kMostBytes = 256 << 20;  // of one batch, uncompressed

struct BatchHeader {
  std::int64_t base_offset = 0;
  std::int8_t magic = 0;
  std::uint32_t crc = 0;
  std::int16_t attributes = 0;
  std::int64_t last_offset = 0;
  std::int64_t base_timestamp = 0;
  std::int64_t max_timestamp = 0;
  std::int64_t producer = 0;
  std::int32_t records = 0;

  bool has(std::int16_t flag) const { return (attributes & flag) != 0; }
};

BatchHeader ReadHeader(std::string_view batch) {
  WireReader in(batch);
  BatchHeader header;
  header.base_offset = in.I64();
  in.I32();  // length
  in.I32();  // leader epoch
  header.magic = in.I8();
  header.crc = static_cast<std::uint32_t>(in.I32());
  header.attributes = in.I16();
  header.last_offset = header.base_offset + in.I32();
  header.base_timestamp = in.I64();
  header.max_timestamp = in.I64();
  header.producer = in.I64();
  in.I16();  // producer epoch
  in.I32();  // sequence
  header.records = in.I32();
  return header;
}

// Which transactions are aborted, as one goes on through the log.
class AbortFilter {
 public:
  explicit AbortFilter(std::span<const AbortedTransaction> aborted) : aborted_(aborted.begin(), aborted.end()) {
    std::sort(aborted_.begin(), aborted_.end(),
              [](const auto& a, const auto& b) { return a.first_offset < b.first_offset; });
  }
  // Called for every batch in order.
  bool Aborted(const BatchHeader& header) {
    while (next_ < aborted_.size() && aborted_[next_].first_offset <= header.last_offset)
      open_.insert(aborted_[next_++].producer);
    return header.has(kTransactional) && open_.contains(header.producer);
  }
  void Ended(std::int64_t producer) { open_.erase(producer); }

 private:
  std::vector<AbortedTransaction> aborted_;
  std::size_t next_ = 0;
  std::set<std::int64_t> open_;  // producers
};

bool IsAbortMarker(const RecordSlice& slice) {
  engine::SourceRecord record;
  RecordWalker walker(slice);
  if (!walker.Next(record, nullptr)) return false;
  WireReader key(record.key);
  key.I16();  // version
  return key.I16() == kAbortMarker && key.ok();
}

absl::Status CheckRecords(const RecordSlice& slice) {
  engine::SourceRecord record;
  RecordWalker walker(slice);
  std::uint32_t count = 0;
  while (walker.Next(record, nullptr)) ++count;
  if (walker.ok() && walker.rest().empty() && count == slice.records) return absl::OkStatus();
  return DataLoss("the batch at offset ", slice.base_offset, " says that it has ", slice.records, " records, and has ",
                  count, walker.ok() ? "" : " and something else");
}

absl::StatusOr<RecordSlice> SliceOf(const Buffer& buffer, std::string_view batch, const BatchHeader& header) {
  RecordSlice slice;
  slice.buffer = buffer;
  slice.bytes = batch.substr(kHeader);
  if (header.records < 0) return DataLoss("the batch at offset ", header.base_offset, " has no valid count");
  slice.records = static_cast<std::uint32_t>(header.records);
  slice.base_offset = header.base_offset;
  slice.log_append_time = header.has(kLogAppendTime);
  slice.base_timestamp = slice.log_append_time ? header.max_timestamp : header.base_timestamp;
  slice.next_offset = header.last_offset + 1;
  if (const auto codec = static_cast<Codec>(header.attributes & kCodecMask); codec != Codec::kNone) {
    auto plain = Decompress(codec, slice.bytes, kMostBytes);
    if (!plain.ok()) return Annotate(plain.status(), "the batch at offset ", header.base_offset);
    auto owned = std::make_shared<const std::string>(std::move(*plain));
    slice.bytes = *owned;
    slice.buffer = std::move(owned);
  }
  MR_RETURN_IF_ERROR(CheckRecords(slice));
  return slice;
}

absl::Status CheckBatch(std::string_view batch, const BatchHeader& header) {
  if (header.magic != 2) {
    return FailedPrecondition("the batch at offset ", header.base_offset, " has message format ",
                              static_cast<int>(header.magic),
                              ", from before Kafka 0.11; set the option fetch to librdkafka, which reads it");
  }
  if (Crc32c(batch.substr(kCheckedFrom)) != header.crc)
    return DataLoss("the batch at offset ", header.base_offset, " is damaged: its checksum is wrong");
  if (header.last_offset < header.base_offset)
    return DataLoss("the batch at offset ", header.base_offset, " ends before it begins");
  return absl::OkStatus();
}

absl::Status AddBatch(const Buffer& buffer, std::string_view batch, std::int64_t from, AbortFilter& filter,
                      RecordSet& set) {
  const BatchHeader header = ReadHeader(batch);
  MR_RETURN_IF_ERROR(CheckBatch(batch, header));
  const bool aborted = filter.Aborted(header);
  const bool wanted = header.last_offset >= from && !aborted;
  if (wanted || header.has(kControl)) {
    MR_ASSIGN_OR_RETURN(RecordSlice slice, SliceOf(buffer, batch, header));
    if (header.has(kControl)) {
      if (IsAbortMarker(slice)) filter.Ended(header.producer);
    } else {
      if (header.base_offset < from) slice = CutBefore(slice, from).second;
      if (slice.records > 0) set.slices.push_back(std::move(slice));
    }
  }
  set.next = std::max(set.next, header.last_offset + 1);
  return absl::OkStatus();
}

}  // namespace

RecordSet ParseRecordSet(const Buffer& buffer, std::string_view bytes, std::int64_t from,
                         std::span<const AbortedTransaction> aborted) {
  RecordSet set;
  set.next = from;
  AbortFilter filter(aborted);
  while (bytes.size() >= kHeader) {
    const auto length = FromBigEndian<std::int32_t>(bytes.data() + 8);
    if (length < static_cast<std::int32_t>(kHeader - kBeforeLength)) {
      // The formats before version 2 have shorter headers; the magic stands at the same place.
      set.error = bytes[16] < 2 && bytes[16] >= 0
                      ? CheckBatch(bytes, ReadHeader(bytes))
                      : DataLoss("a batch behind offset ", set.next, " has no valid length");
      return set;
    }
    const std::size_t size = kBeforeLength + static_cast<std::size_t>(length);
    if (size > bytes.size()) break;  // cut off by the broker; it comes again
    set.error = AddBatch(buffer, bytes.substr(0, size), from, filter, set);
    if (!set.error.ok()) return set;
    bytes.remove_prefix(size);
  }
  return set;
}

bool RecordWalker::Next(engine::SourceRecord& record, std::vector<engine::Header>* headers) {
  if (rest_.empty() || !ok_) return false;
  WireReader outer(rest_);
  const std::int64_t length = outer.Varint();
  ok_ = outer.ok() && length >= 0 && static_cast<std::size_t>(length) <= outer.left();
  if (!ok_) return false;
  WireReader in(rest_.substr(rest_.size() - outer.left(), static_cast<std::size_t>(length)));
  in.I8();  // attributes, none of which is used
  const std::int64_t time = in.Varint();
  const std::int64_t offset = in.Varint();
  const auto sized = [&in] {
    const std::int64_t size = in.Varint();
    return size <= 0 ? std::string_view() : in.Bytes(static_cast<std::size_t>(size));
  };
  record = engine::SourceRecord();
  record.key = sized();
  record.value = sized();
  record.position = slice_.base_offset + offset;
  const std::int64_t ms = slice_.base_timestamp + (slice_.log_append_time ? 0 : time);
  record.timestamp_us = ms > 0 ? ms * 1000 : 0;
  std::int64_t count = in.Varint();
  for (; count > 0 && in.ok(); --count) {
    const std::string_view name = sized();
    const std::string_view value = sized();
    if (headers != nullptr) headers->push_back({name, value});
  }
  ok_ = in.ok() && count == 0;
  rest_.remove_prefix(rest_.size() - outer.left() + static_cast<std::size_t>(length));
  return ok_;
}

namespace {

// `first` records and the bytes they take; `next`: the offset behind them.
std::pair<RecordSlice, RecordSlice> Cut(const RecordSlice& slice, std::uint32_t first, std::size_t bytes,
                                        std::int64_t next) {
  RecordSlice before = slice;
  before.bytes = slice.bytes.substr(0, bytes);
  before.records = first;
  before.next_offset = next;
  RecordSlice behind = slice;
  behind.bytes.remove_prefix(bytes);
  behind.records = slice.records - first;
  return {std::move(before), std::move(behind)};
}

}  // namespace

std::pair<RecordSlice, RecordSlice> CutAfter(const RecordSlice& slice, std::uint32_t count) {
  engine::SourceRecord record;
  RecordWalker walker(slice);
  std::uint32_t done = 0;
  while (done < count && walker.Next(record, nullptr)) ++done;
  const std::int64_t next = done == slice.records ? slice.next_offset
                            : done == 0           ? slice.base_offset
                                                  : record.position + 1;
  return Cut(slice, done, slice.bytes.size() - walker.rest().size(), next);
}

std::pair<RecordSlice, RecordSlice> CutBefore(const RecordSlice& slice, std::int64_t offset) {
  engine::SourceRecord record;
  RecordWalker walker(slice);
  std::uint32_t done = 0;
  std::size_t bytes = 0;
  while (walker.Next(record, nullptr) && record.position < offset) {
    ++done;
    bytes = slice.bytes.size() - walker.rest().size();
  }
  return Cut(slice, done, bytes, std::min(offset, slice.next_offset));
}

}  // namespace millrace::kafka
