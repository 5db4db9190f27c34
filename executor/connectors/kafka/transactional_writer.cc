#include "executor/connectors/kafka/transactional_writer.h"

#include <thread>
#include <utility>

#include "common/status.h"
#include "executor/connectors/kafka/mark.h"

namespace millrace::kafka {
namespace {

// All shorter than transaction.timeout.ms, so that the writer notices before the broker gives up on it.
constexpr int kOpenMs = 20'000;
constexpr int kStageMs = 20'000;
constexpr int kCommitMs = 30'000;
constexpr int kAbortMs = 3'000;
constexpr auto kRetryPause = std::chrono::milliseconds(20);

std::string PartitionName(const SinkPartition& partition) {
  return Concat(partition.job_id, "-", partition.sink, "-", partition.stage, "-", partition.partition);
}

}  // namespace

TransactionalWriter::TransactionalWriter(Config config, std::string brokers, SinkTopic topic,
                                         const SinkPartition& partition)
    : config_(std::move(config)),
      brokers_(std::move(brokers)),
      topic_(std::move(topic)),
      transactional_id_(Concat("millrace-", PartitionName(partition))),
      mark_group_(Concat("millrace-mark-", PartitionName(partition))) {}

TransactionalWriter::~TransactionalWriter() { Abort(); }

template <class Call>
absl::Status TransactionalWriter::Retry(std::string_view what, Deadline deadline, Call attempt) {
  while (true) {
    const Error error(attempt(MsLeft(deadline)));
    if (error == nullptr) return absl::OkStatus();
    const bool again = rd_kafka_error_is_retriable(error.get()) != 0 && std::chrono::steady_clock::now() < deadline;
    if (!again) return producer_->Failed(what, error);
    std::this_thread::sleep_for(kRetryPause);
  }
}

absl::Status TransactionalWriter::Checked(absl::Status status) {
  if (!status.ok()) {
    Abort();
    producer_.reset();
  }
  return status;
}

void TransactionalWriter::Abort() {
  // An open transaction would hide all later output of the topic from readers until it times out.
  if (producer_ == nullptr || !std::exchange(in_transaction_, false)) return;
  const Error ignored(rd_kafka_abort_transaction(producer_->handle(), kAbortMs));
}

absl::StatusOr<std::uint64_t> TransactionalWriter::Open() {
  Abort();
  producer_.reset();
  const Deadline deadline = After(kOpenMs);
  Config config(config_);
  MR_RETURN_IF_ERROR(config.Set("transactional.id", transactional_id_));
  MR_ASSIGN_OR_RETURN(producer_, RowProducer::New(config, brokers_, topic_));
  MR_RETURN_IF_ERROR(Checked(Retry("taking over the transactional id", deadline,
                                   [&](int ms) { return rd_kafka_init_transactions(producer_->handle(), ms); })));
  // Only now: an older writer may have committed until the line above.
  auto mark = ReadMark(*producer_, mark_group_, deadline);
  if (!mark.ok()) producer_.reset();
  return mark;
}

absl::Status TransactionalWriter::Begin() {
  const Error error(rd_kafka_begin_transaction(producer_->handle()));
  if (error != nullptr) return producer_->Failed("beginning a transaction", error);
  in_transaction_ = true;
  return absl::OkStatus();
}

absl::Status TransactionalWriter::StageRows(std::uint64_t batch, std::int64_t batch_time_us, const RowBuffer& rows) {
  if (in_transaction_) {  // another attempt was staged and not committed
    in_transaction_ = false;
    const Deadline deadline = After(kStageMs);
    MR_RETURN_IF_ERROR(Retry("aborting the batch staged before", deadline,
                             [&](int ms) { return rd_kafka_abort_transaction(producer_->handle(), ms); }));
  }
  if (rows.empty()) return absl::OkStatus();
  MR_RETURN_IF_ERROR(Begin());
  staged_ = batch;
  // The mark goes first: while the broker still completes the transaction before, librdkafka retries adding an offset
  // after retry.backoff.ms, but adding a partition only after 20 ms.
  const Deadline deadline = After(kStageMs);
  MR_RETURN_IF_ERROR(SendMark(batch, deadline));
  return producer_->Produce(rows.rows(), batch_time_us, deadline);
}

absl::Status TransactionalWriter::Stage(std::uint64_t batch, std::int64_t batch_time_us, const RowBuffer& rows) {
  if (producer_ == nullptr) return FailedPrecondition("kafka sink ", transactional_id_, " is not open");
  return Checked(StageRows(batch, batch_time_us, rows));
}

absl::Status TransactionalWriter::SendMark(std::uint64_t batch, Deadline deadline) {
  const PartitionList mark = OnePartition(topic_.name, 0, static_cast<std::int64_t>(batch));
  const GroupMetadata group(rd_kafka_consumer_group_metadata_new(mark_group_.c_str()));
  return Retry("adding the mark to the transaction", deadline, [&](int ms) {
    return rd_kafka_send_offsets_to_transaction(producer_->handle(), mark.get(), group.get(), ms);
  });
}

absl::Status TransactionalWriter::CommitStaged() {
  const Deadline deadline = After(kCommitMs);
  MR_RETURN_IF_ERROR(producer_->AwaitDelivered(deadline));
  MR_RETURN_IF_ERROR(
      Retry("committing", deadline, [&](int ms) { return rd_kafka_commit_transaction(producer_->handle(), ms); }));
  in_transaction_ = false;
  return absl::OkStatus();
}

absl::Status TransactionalWriter::Commit(std::uint64_t batch) {
  if (producer_ == nullptr) return FailedPrecondition("kafka sink ", transactional_id_, " is not open");
  if (!in_transaction_) return absl::OkStatus();  // the batch has no rows
  if (batch != staged_) {
    return Checked(Internal("kafka sink ", transactional_id_, ": batch ", batch, " is to be committed, but ", staged_,
                            " was staged"));
  }
  return Checked(CommitStaged());
}

}  // namespace millrace::kafka
