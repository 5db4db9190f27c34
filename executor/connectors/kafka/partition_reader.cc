#include "executor/connectors/kafka/partition_reader.h"

#include <algorithm>

#include "common/status.h"
#include "executor/connectors/kafka/message_batch.h"
#include "executor/connectors/options.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kChunk = 1024;
constexpr int kSeekTimeoutMs = 3'000;
constexpr int kReadPollMs = 100;
constexpr std::chrono::seconds kReadPatience{20};  // without anything new

}  // namespace

PartitionReader::PartitionReader(std::shared_ptr<const Consumer> consumer, std::string topic, std::int32_t partition)
    : consumer_(std::move(consumer)),
      client_(consumer_->client),
      log_(consumer_, std::move(topic), partition),
      chunk_(kChunk) {}

PartitionReader::~PartitionReader() { Unassign(); }

void PartitionReader::Unassign() {
  if (assigned_) {
    PartitionList list = OnePartition(*log_.topic(), log_.partition(), RD_KAFKA_OFFSET_INVALID);
    Error(rd_kafka_incremental_unassign(client_->handle(), list.get()));  // fails only if it is not assigned
  }
  assigned_ = false;
  queue_.reset();
}

absl::Status PartitionReader::Assign(std::int64_t offset) {
  // The queue is taken out of the common one before fetching begins, so no record ever takes the other way.
  queue_.reset(rd_kafka_queue_get_partition(client_->handle(), log_.topic()->c_str(), log_.partition()));
  if (queue_ == nullptr) return Internal("kafka ", log_.name(), ": librdkafka gives no queue for the partition");
  rd_kafka_queue_forward(queue_.get(), nullptr);
  PartitionList list = OnePartition(*log_.topic(), log_.partition(), offset);
  Error error(rd_kafka_incremental_assign(client_->handle(), list.get()));
  if (error != nullptr) {
    queue_.reset();
    return Unavailable("kafka ", log_.name(),
                       ": cannot assign: ", std::string_view(rd_kafka_error_string(error.get())));
  }
  assigned_ = true;
  stopped_ = false;
  position_ = offset;
  return absl::OkStatus();
}

absl::Status PartitionReader::MoveTo(std::int64_t offset) {
  if (offset == position_ && assigned_) return absl::OkStatus();
  pending_.clear();
  failure_ = absl::OkStatus();
  out_of_range_ = false;
  end_seen_ = -1;
  if (assigned_ && !stopped_) {
    PartitionList list = OnePartition(*log_.topic(), log_.partition(), offset);
    Error error(rd_kafka_seek_partitions(client_->handle(), list.get(), kSeekTimeoutMs));
    if (error == nullptr && list->elems[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      position_ = offset;
      return absl::OkStatus();
    }
  }
  // A partition that is just starting or has stopped cannot seek; beginning anew always works.
  Unassign();
  return Assign(offset);
}

std::size_t PartitionReader::Consume(int timeout_ms, std::size_t limit) {
  const std::size_t want = std::min(limit, kChunk);
  ssize_t n = rd_kafka_consume_batch_queue(queue_.get(), 0, chunk_.data(), want);
  // With a timeout librdkafka waits until all that was wanted is there: so wait for one.
  if (n == 0 && timeout_ms > 0) n = rd_kafka_consume_batch_queue(queue_.get(), timeout_ms, chunk_.data(), 1);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

void PartitionReader::TakeHeld(std::uint64_t limit, std::vector<MessagePtr>& taken) {
  while (!pending_.empty() && taken.size() < limit) {
    taken.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  // Measured once: under a steady stream a loop "until empty" would have no end.
  const std::size_t held_now = rd_kafka_queue_length(queue_.get());
  std::size_t held = held_now;
  taken.reserve(taken.size() + std::min<std::uint64_t>(held, limit - taken.size()));
  while (held > 0 && taken.size() < limit && failure_.ok()) {
    const std::size_t n = Consume(0, std::min<std::uint64_t>(held, limit - taken.size()));
    if (n == 0) break;
    held -= std::min(held, n);
    for (std::size_t i = 0; i < n; ++i) {
      MessagePtr message(chunk_[i]);
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        NoteError(*message);
      } else if (failure_.ok() && message->offset >= position_) {
        taken.push_back(std::move(message));
      }
    }
  }
  ResumeFetching(held_now, taken);
}

void PartitionReader::ResumeFetching(std::size_t held, const std::vector<MessagePtr>& taken) const {
  if (taken.empty()) return;
  std::size_t bytes = 0;
  for (const MessagePtr& message : taken) bytes += message->len + message->key_len;
  const std::size_t held_bytes = bytes / taken.size() * held;  // of all that was held, by the size of what was taken
  // A little early: waking a broker that is awake costs one small request, missing one that sleeps costs a second.
  const bool stopped = held >= consumer_->prefetch_records / 10 * 9 || held_bytes >= consumer_->prefetch_bytes / 10 * 9;
  if (stopped) consumer_->waker->Wake(*log_.topic(), log_.partition());
}

bool PartitionReader::ReachedEnd(std::int64_t end, std::vector<MessagePtr>& taken) {
  bool reached = false;
  while (!taken.empty() && taken.back()->offset >= end) {
    taken.pop_back();
    reached = true;
  }
  const std::int64_t next = taken.empty() ? position_ : taken.back()->offset + 1;
  return reached || next >= end || end_seen_ >= end;
}

absl::StatusOr<ClosedRange> PartitionReader::Skip(const Position& from) {
  MR_ASSIGN_OR_RETURN(const Position to, log_.SkipFrom(from, failure_));
  MR_RETURN_IF_ERROR(MoveTo(to.offset));
  ClosedRange range;
  range.end = to.Text();
  range.finished = to.offset >= to.end;
  range.data = MakeBatch({});
  return range;
}

absl::StatusOr<ClosedRange> PartitionReader::Close(std::string_view start, std::uint64_t max_records) {
  MR_ASSIGN_OR_RETURN(const Position from, ParsePosition(log_.name(), start));
  client_->Poll();
  log_.TellGroup();
  MR_RETURN_IF_ERROR(MoveTo(from.offset));
  std::uint64_t limit = consumer_->max_records == 0 ? ~0ULL : consumer_->max_records;
  if (max_records > 0) limit = std::min(limit, max_records);
  std::vector<MessagePtr> taken;
  TakeHeld(limit, taken);
  ClosedRange range;
  range.finished = ReachedEnd(from.end, taken);
  if (taken.empty() && !range.finished && !failure_.ok()) {
    if (out_of_range_ && consumer_->out_of_range != OutOfRangePolicy::kFail) return Skip(from);
    return failure_;
  }
  if (!taken.empty()) {
    position_ = taken.back()->offset + 1;
    client_->problem().Clear();
  }
  if (range.finished) Unassign();  // what lies behind the end need not be fetched
  range.end = taken.empty() ? std::string(start) : Position{position_, from.end, false}.Text();
  range.records = taken.size();
  range.data = MakeBatch(std::move(taken));
  return range;
}

absl::Status PartitionReader::TakeUntil(std::int64_t to, std::vector<MessagePtr>& taken) {
  const auto take = [&](MessagePtr message) {
    if (message->offset >= to) return pending_.push_back(std::move(message));
    position_ = message->offset + 1;
    taken.push_back(std::move(message));
  };
  std::deque<MessagePtr> before;
  before.swap(pending_);
  for (MessagePtr& message : before) take(std::move(message));
  auto deadline = std::chrono::steady_clock::now() + kReadPatience;
  while (position_ < to && pending_.empty() && end_seen_ < to) {
    if (!failure_.ok()) return failure_;
    // No more entries than offsets are missing: what lies beyond the end mostly stays in the queue.
    const std::size_t n =
        Consume(kReadPollMs, static_cast<std::size_t>(std::min<std::int64_t>(to - position_, kChunk)));
    for (std::size_t i = 0; i < n; ++i) {
      MessagePtr message(chunk_[i]);
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        NoteError(*message);
      } else if (failure_.ok() && message->offset >= position_) {
        take(std::move(message));
      }
    }
    client_->Poll();
    const auto now = std::chrono::steady_clock::now();
    if (n > 0) deadline = now + kReadPatience;
    if (now >= deadline) return log_.NothingCame(position_, to, kReadPatience);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RecordBatch>> PartitionReader::Read(std::string_view start, std::string_view end) {
  MR_ASSIGN_OR_RETURN(const Position first, ParsePosition(log_.name(), start));
  MR_ASSIGN_OR_RETURN(const Position last, ParsePosition(log_.name(), end));
  const std::int64_t from = first.offset;
  const std::int64_t to = last.offset;
  std::vector<MessagePtr> taken;
  if (last.skipped && start != end) {
    MR_RETURN_IF_ERROR(MoveTo(to));
    return MakeBatch(std::move(taken));
  }
  if (from > to) return InvalidArgument("kafka ", log_.name(), ": range ", start, " to ", end, " runs backwards");
  if (from < to) {
    MR_RETURN_IF_ERROR(MoveTo(from));
    if (absl::Status read = TakeUntil(to, taken); !read.ok()) {
      // What was taken is lost to the next Close, unless that begins anew.
      Unassign();
      return read;
    }
    position_ = to;
    client_->problem().Clear();
  } else {
    MR_RETURN_IF_ERROR(MoveTo(to));
  }
  return MakeBatch(std::move(taken));
}

std::unique_ptr<RecordBatch> PartitionReader::MakeBatch(std::vector<MessagePtr> messages) {
  return std::make_unique<MessageBatch>(client_, log_.topic(), consumer_->headers, std::move(messages));
}

void PartitionReader::NoteError(const rd_kafka_message_t& message) {
  const std::string_view text = rd_kafka_message_errstr(&message);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      end_seen_ = message.offset;
      client_->problem().Clear();
      return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      stopped_ = true;
      out_of_range_ = true;
      failure_ = log_.OutOfRange(message.offset >= 0 ? message.offset : position_);
      return;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
      // librdkafka goes on behind the bad records; we must not, they belong to the range.
      stopped_ = true;
      failure_ = DataLoss("kafka ", log_.name(), ": records near offset ", message.offset, " are damaged: ", text);
      return;
    default:
      // librdkafka tries again by itself.
      client_->problem().Set(Concat("kafka ", log_.name(), ": ", text));
  }
}

}  // namespace millrace::kafka
