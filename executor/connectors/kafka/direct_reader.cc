#include "executor/connectors/kafka/direct_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/status.h"
#include "executor/connectors/kafka/fetch/slice_batch.h"

namespace millrace::kafka {
namespace {

constexpr std::chrono::seconds kReadPatience{20};  // without anything new
constexpr std::chrono::milliseconds kReadPoll{100};

}  // namespace

DirectReader::DirectReader(std::shared_ptr<const Consumer> consumer, std::string topic, std::int32_t partition,
                           std::int64_t offset)
    : consumer_(std::move(consumer)), log_(consumer_, std::move(topic), partition) {
  feed_ = consumer_->fetcher->Open(*log_.topic(), log_.partition());
  feed_->MoveTo(offset);
  position_ = offset;
}

DirectReader::~DirectReader() { StopFetching(); }

void DirectReader::StopFetching() {
  if (feed_ != nullptr) consumer_->fetcher->Close(feed_);
  feed_ = nullptr;
}

void DirectReader::MoveTo(std::int64_t offset) {
  if (offset == position_ && feed_ != nullptr) return;
  if (feed_ == nullptr) feed_ = consumer_->fetcher->Open(*log_.topic(), log_.partition());
  feed_->MoveTo(offset);
  position_ = offset;
}

absl::Status DirectReader::FailureOf(const PartitionFeed::Taken& taken) const {
  return taken.out_of_range ? log_.OutOfRange(position_) : taken.failure;
}

absl::StatusOr<ClosedRange> DirectReader::Skip(const Position& from, const absl::Status& failure) {
  MR_ASSIGN_OR_RETURN(const Position to, log_.SkipFrom(from, failure));
  MoveTo(to.offset);
  ClosedRange range;
  range.end = to.Text();
  range.finished = to.offset >= to.end;
  range.data = MakeBatch({});
  return range;
}

absl::StatusOr<ClosedRange> DirectReader::Close(std::string_view start, std::uint64_t max_records) {
  MR_ASSIGN_OR_RETURN(const Position from, ParsePosition(log_.name(), start));
  consumer_->client->Poll();
  log_.TellGroup();
  MoveTo(from.offset);
  std::uint64_t limit = consumer_->max_records == 0 ? ~0ULL : consumer_->max_records;
  if (max_records > 0) limit = std::min(limit, max_records);
  PartitionFeed::Taken taken = feed_->Take(limit, from.end);
  ClosedRange range;
  range.finished = taken.done;
  if (taken.records == 0 && !range.finished && !taken.failure.ok()) {
    const absl::Status failure = FailureOf(taken);
    if (taken.out_of_range && consumer_->out_of_range != OutOfRangePolicy::kFail) return Skip(from, failure);
    return failure;
  }
  if (taken.records > 0) {
    position_ = taken.next;
    consumer_->client->problem().Clear();
  }
  if (range.finished) StopFetching();  // what lies behind the end need not be fetched
  range.end = taken.records == 0 ? std::string(start) : Position{position_, from.end, false}.Text();
  range.records = taken.records;
  range.data = MakeBatch(std::move(taken.slices));
  return range;
}

absl::Status DirectReader::TakeUntil(std::int64_t to, std::vector<RecordSlice>& slices) {
  auto deadline = std::chrono::steady_clock::now() + kReadPatience;
  while (true) {
    PartitionFeed::Taken taken = feed_->Take(~0ULL, to);
    std::move(taken.slices.begin(), taken.slices.end(), std::back_inserter(slices));
    if (taken.records > 0) {
      position_ = taken.next;
      deadline = std::chrono::steady_clock::now() + kReadPatience;
    }
    if (taken.done) return absl::OkStatus();
    if (!taken.failure.ok()) return FailureOf(taken);
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return log_.NothingCame(position_, to, kReadPatience);
    feed_->Await(to, std::min(deadline, now + kReadPoll));
    consumer_->client->Poll();
  }
}

absl::StatusOr<std::unique_ptr<RecordBatch>> DirectReader::Read(std::string_view start, std::string_view end) {
  MR_ASSIGN_OR_RETURN(const Position first, ParsePosition(log_.name(), start));
  MR_ASSIGN_OR_RETURN(const Position last, ParsePosition(log_.name(), end));
  if (last.skipped && start != end) {
    MoveTo(last.offset);
    return MakeBatch({});
  }
  if (first.offset > last.offset)
    return InvalidArgument("kafka ", log_.name(), ": range ", start, " to ", end, " runs backwards");
  MoveTo(first.offset);
  std::vector<RecordSlice> slices;
  if (first.offset == last.offset) return MakeBatch(std::move(slices));
  if (absl::Status read = TakeUntil(last.offset, slices); !read.ok()) {
    // What was taken is lost to the next Close, unless that begins anew.
    StopFetching();
    return read;
  }
  position_ = last.offset;
  consumer_->client->problem().Clear();
  return MakeBatch(std::move(slices));
}

std::unique_ptr<RecordBatch> DirectReader::MakeBatch(std::vector<RecordSlice> slices) const {
  return std::make_unique<SliceBatch>(log_.topic(), log_.partition(), consumer_->headers, std::move(slices));
}

}  // namespace millrace::kafka
