#include "executor/connectors/kafka/consumer.h"

#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "executor/connectors/kafka/handles.h"

namespace millrace::kafka {
namespace {

constexpr int kWatermarkTimeoutMs = 2'000;
constexpr std::chrono::seconds kGroupPause{1};

}  // namespace

PartitionLog::PartitionLog(std::shared_ptr<const Consumer> consumer, std::string topic, std::int32_t partition)
    : consumer_(std::move(consumer)),
      topic_(std::make_shared<const std::string>(std::move(topic))),
      partition_(partition),
      name_(Concat(*topic_, "-", partition)) {}

bool PartitionLog::AskExtent(std::int64_t& low, std::int64_t& high) const {
  return rd_kafka_query_watermark_offsets(consumer_->client->handle(), topic_->c_str(), partition_, &low, &high,
                                          kWatermarkTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

absl::Status PartitionLog::OutOfRange(std::int64_t offset) const {
  std::int64_t low = -1;
  std::int64_t high = -1;
  const std::string log = AskExtent(low, high) ? Concat("it now goes from ", low, " to ", high)
                                               : std::string("how far it reaches is unknown");
  return DataLoss("kafka ", name_, ": the log no longer has offset ", offset, "; ", log,
                  ". Records were deleted before they were read: check retention, or whether the topic was made anew");
}

absl::Status PartitionLog::NothingCame(std::int64_t position, std::int64_t to, std::chrono::seconds patience) const {
  std::int64_t low = -1;
  std::int64_t high = -1;
  if (AskExtent(low, high) && high < to) return OutOfRange(to - 1);
  const std::string problem = consumer_->client->problem().text();
  return Unavailable("kafka ", name_, ": waiting for offset ", position, " of a range that ends at ", to,
                     ": nothing came for ", patience.count(), " s", problem.empty() ? "" : Concat("; ", problem));
}

absl::StatusOr<Position> PartitionLog::SkipFrom(const Position& from, const absl::Status& failure) const {
  std::int64_t low = -1;
  std::int64_t high = -1;
  if (!AskExtent(low, high)) return Unavailable(Message(failure), ". Where the log goes on is not known yet");
  Position to = from;
  to.offset = consumer_->out_of_range == OutOfRangePolicy::kEarliest ? low : high;
  to.skipped = true;
  log::Warn("kafka: records are gone and were skipped, as option out_of_range says",
            {{"partition", name_}, {"from", from.offset}, {"to", to.offset}, {"log_begin", low}, {"log_end", high}});
  consumer_->client->problem().Set(Concat("kafka ", name_, ": offsets ", from.offset, " to ", to.offset,
                                          " were gone and have been skipped (option out_of_range)"));
  return to;
}

void PartitionLog::Forget(std::string_view end) {
  if (consumer_->group.empty()) return;
  const auto position = ParsePosition(name_, end);
  if (!position.ok()) return;
  group_offset_ = position->offset;
  TellGroup();
}

void PartitionLog::TellGroup() {
  const auto now = std::chrono::steady_clock::now();
  if (group_offset_ < 0 || now < group_told_ + kGroupPause) return;
  PartitionList list = OnePartition(*topic_, partition_, group_offset_);
  group_offset_ = -1;
  group_told_ = now;
  // Nothing rests on it: what fails is told by the callback, and the next one says more.
  rd_kafka_commit(consumer_->client->handle(), list.get(), 1);
}

}  // namespace millrace::kafka
