// Exactly-once writer of one sink partition: a transaction for each batch, and in it the batch's number as the
// committed offset of a private group on partition 0 of the output topic. That offset is the mark; it becomes visible
// with the rows or not at all.
//
// Open fences older writers of the same partition (init_transactions on its transactional.id) and then reads the mark.
// A batch without rows makes no transaction and leaves the mark where it is: replayed, it is empty again. Brokers
// forget a group that is silent for offsets.retention.minutes (7 days by default), and the mark with it.
//
// See sink.h for the thread rule. After an error the writer takes no more calls; the destructor aborts an open
// transaction, bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "executor/connectors/kafka/config.h"
#include "executor/connectors/kafka/row_producer.h"
#include "executor/connectors/sink.h"

namespace millrace::kafka {

class TransactionalWriter : public SinkWriter {
 public:
  // `config` lacks the transactional.id alone.
  TransactionalWriter(Config config, std::string brokers, SinkTopic topic, const SinkPartition& partition);
  ~TransactionalWriter() override;

  absl::StatusOr<std::uint64_t> Open() override;
  absl::Status Stage(std::uint64_t batch, std::int64_t batch_time_us, const RowBuffer& rows) override;
  absl::Status Commit(std::uint64_t batch) override;

 private:
  absl::Status StageRows(std::uint64_t batch, std::int64_t batch_time_us, const RowBuffer& rows);
  absl::Status CommitStaged();
  absl::Status Begin();
  absl::Status SendMark(std::uint64_t batch, Deadline deadline);
  void Abort();
  // Calls `attempt` (which returns an Error) until it works, fails for good, or the deadline passes.
  template <class Call>
  absl::Status Retry(std::string_view what, Deadline deadline, Call attempt);
  // Closes the writer when `status` is an error.
  absl::Status Checked(absl::Status status);

  Config config_;
  const std::string brokers_;
  const SinkTopic topic_;
  const std::string transactional_id_;
  const std::string mark_group_;
  std::unique_ptr<RowProducer> producer_;  // null: not open, or closed after an error
  bool in_transaction_ = false;
  std::uint64_t staged_ = 0;  // the batch of the open transaction
};

}  // namespace millrace::kafka
