#include "executor/connectors/kafka/mark.h"

#include <array>
#include <thread>

#include "common/status.h"

namespace millrace::kafka {
namespace {

constexpr int kRequestMs = 5'000;
constexpr auto kRetryPause = std::chrono::milliseconds(50);

using OffsetsRequest =
    std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, Destroy<rd_kafka_ListConsumerGroupOffsets_destroy>>;

// What one request told: an error, or the offset.
struct Answer {
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  std::string text = "no answer";
  std::int64_t offset = RD_KAFKA_OFFSET_INVALID;
};

Answer ReadResult(rd_kafka_event_t* event) {
  Answer answer;
  answer.error = rd_kafka_event_error(event);
  answer.text = answer.error == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : rd_kafka_event_error_string(event);
  if (answer.error != RD_KAFKA_RESP_ERR_NO_ERROR) return answer;
  std::size_t count = 0;
  const rd_kafka_group_result_t** groups =
      rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
  if (count != 1) return {RD_KAFKA_RESP_ERR__BAD_MSG, "the answer is not about one group", RD_KAFKA_OFFSET_INVALID};
  if (const rd_kafka_error_t* error = rd_kafka_group_result_error(groups[0]); error != nullptr) {
    return {rd_kafka_error_code(error), rd_kafka_error_string(error), RD_KAFKA_OFFSET_INVALID};
  }
  const rd_kafka_topic_partition_list_t* partitions = rd_kafka_group_result_partitions(groups[0]);
  if (partitions == nullptr || partitions->cnt != 1) {
    return {RD_KAFKA_RESP_ERR__BAD_MSG, "the answer is not about one partition", RD_KAFKA_OFFSET_INVALID};
  }
  const rd_kafka_topic_partition_t& partition = partitions->elems[0];
  if (partition.err != RD_KAFKA_RESP_ERR_NO_ERROR)
    return {partition.err, ErrorText(partition.err), RD_KAFKA_OFFSET_INVALID};
  answer.offset = partition.offset;
  return answer;
}

Answer AskOnce(RowProducer& producer, const std::string& group, int timeout_ms) {
  const PartitionList partition = OnePartition(producer.topic(), 0, RD_KAFKA_OFFSET_INVALID);
  const OffsetsRequest request(rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), partition.get()));
  const AdminOptions options(rd_kafka_AdminOptions_new(producer.handle(), RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS));
  std::array<char, 256> why{};
  rd_kafka_resp_err_t error =
      rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, why.data(), why.size());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return {error, why.data(), RD_KAFKA_OFFSET_INVALID};
  if (const Error refused(rd_kafka_AdminOptions_set_require_stable_offsets(options.get(), 1)); refused != nullptr) {
    return {rd_kafka_error_code(refused.get()), rd_kafka_error_string(refused.get()), RD_KAFKA_OFFSET_INVALID};
  }
  const Queue queue(rd_kafka_queue_new(producer.handle()));
  rd_kafka_ListConsumerGroupOffsets_t* requests[1] = {request.get()};
  rd_kafka_ListConsumerGroupOffsets(producer.handle(), requests, 1, options.get(), queue.get());
  const Event event(rd_kafka_queue_poll(queue.get(), timeout_ms + 1'000));
  return event == nullptr ? Answer() : ReadResult(event.get());
}

// What passes by itself: the group's coordinator moves or loads, or a transaction is still being completed.
bool Passing(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::StatusOr<std::uint64_t> ReadMark(RowProducer& producer, const std::string& group, Deadline deadline) {
  while (true) {
    const Answer answer = AskOnce(producer, group, std::min(MsLeft(deadline), kRequestMs));
    if (answer.error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      return answer.offset < 0 ? 0 : static_cast<std::uint64_t>(answer.offset);
    }
    if (!Passing(answer.error) || std::chrono::steady_clock::now() >= deadline) {
      return producer.Failed(Concat("reading the mark from group '", group, "'"), answer.error, answer.text);
    }
    std::this_thread::sleep_for(kRetryPause);
  }
}

}  // namespace millrace::kafka
