#include "executor/connectors/cassandra/cassandra_sink.h"

#include <optional>

#include "common/log.h"
#include "common/status.h"
#include "executor/connectors/cassandra/marks.h"
#include "executor/connectors/cassandra/request_pipeline.h"
#include "executor/connectors/cassandra/row_binder.h"
#include "executor/connectors/cassandra/session.h"
#include "executor/connectors/cassandra/sink_options.h"
#include "executor/connectors/cassandra/table.h"

namespace millrace {
namespace cassandra {
namespace {

constexpr std::chrono::seconds kOpenTime{20};
constexpr std::chrono::seconds kPatience{20};
constexpr std::chrono::seconds kCommitTime{20};

Deadline After(std::chrono::seconds time) { return std::chrono::steady_clock::now() + time; }

class Writer : public SinkWriter {
 public:
  Writer(std::shared_ptr<const SinkOptions> options, std::shared_ptr<const TlsContext> tls,
         const SinkPartition& partition)
      : options_(std::move(options)),
        tls_(std::move(tls)),
        partition_(partition),
        marks_(options_->keyspace, options_->marks_table, partition),
        pipeline_(options_->client.max_in_flight, "writing rows") {}

  absl::StatusOr<std::uint64_t> Open() override {
    const Deadline deadline = After(kOpenTime);
    session_.reset();
    MR_ASSIGN_OR_RETURN(auto session, Session::Open(options_->client, tls_.get(), deadline));
    MR_ASSIGN_OR_RETURN(Table table,
                        LoadTable(*session, options_->keyspace, options_->table, TableUse::kWritten, deadline));
    MR_ASSIGN_OR_RETURN(binder_, RowBinder::Make(std::move(table), options_->columns, options_->kinds));
    MR_ASSIGN_OR_RETURN(statements_.insert, session->Prepare(binder_->InsertCql(options_->ttl), deadline));
    MR_ASSIGN_OR_RETURN(statements_.remove, session->Prepare(binder_->DeleteCql(), deadline));
    std::uint64_t mark = 0;
    if (!options_->marks_table.empty()) {
      MR_RETURN_IF_ERROR(marks_.EnsureTable(*session, deadline));
      MR_ASSIGN_OR_RETURN(mark, marks_.Claim(*session, deadline));
    }
    session_ = std::move(session);
    return mark;
  }

  absl::Status Stage(std::uint64_t, std::int64_t batch_time_us, const RowBuffer& rows) override {
    if (session_ == nullptr) return FailedPrecondition("cassandra sink ", partition_.sink, " is not open");
    has_rows_ = !rows.empty();
    if (!has_rows_) return absl::OkStatus();
    return Checked(WriteRows(batch_time_us, rows));
  }

  // A batch without rows leaves the mark where it is: replayed, it is empty again.
  absl::Status Commit(std::uint64_t batch) override {
    if (session_ == nullptr) return FailedPrecondition("cassandra sink ", partition_.sink, " is not open");
    if (!has_rows_ || options_->marks_table.empty()) return absl::OkStatus();
    has_rows_ = false;
    return Checked(marks_.Set(*session_, batch, After(kCommitTime)));
  }

 private:
  absl::Status WriteRows(std::int64_t batch_time_us, const RowBuffer& rows) {
    MR_ASSIGN_OR_RETURN(const std::vector<Request> writes, binder_->Bind(rows.rows(), batch_time_us, statements_));
    session_->RefreshTopology(After(kPatience));
    const std::uint64_t cuts = pipeline_.window().cuts();
    MR_RETURN_IF_ERROR(pipeline_.Run(*session_, writes, kPatience));
    if (pipeline_.window().cuts() != cuts) {
      log::Info(
          "cassandra was overloaded, fewer requests are sent",
          {{"sink", partition_.sink}, {"partition", partition_.partition}, {"in_flight", pipeline_.window().size()}});
    }
    return absl::OkStatus();
  }

  absl::Status Checked(absl::Status status) {
    if (!status.ok()) session_.reset();
    return status;
  }

  const std::shared_ptr<const SinkOptions> options_;
  const std::shared_ptr<const TlsContext> tls_;
  const SinkPartition partition_;
  const Marks marks_;
  RequestPipeline pipeline_;
  RowBinder::Statements statements_;
  std::optional<RowBinder> binder_;
  std::unique_ptr<Session> session_;  // null: not open, or closed after an error
  bool has_rows_ = false;             // in the batch that was staged
};

class CassandraSink : public Sink {
 public:
  explicit CassandraSink(SinkOptions options) : options_(std::make_shared<const SinkOptions>(std::move(options))) {}

  // The files of TLS are read for each writer: certificates may be renewed while a job runs.
  absl::StatusOr<std::unique_ptr<SinkWriter>> NewWriter(const SinkPartition& partition) override {
    std::shared_ptr<const TlsContext> tls;
    if (options_->client.tls) {
      MR_ASSIGN_OR_RETURN(tls, TlsContext::Make("cassandra", options_->client.tls_options));
    }
    return std::make_unique<Writer>(options_, std::move(tls), partition);
  }

 private:
  const std::shared_ptr<const SinkOptions> options_;
};

}  // namespace
}  // namespace cassandra

absl::StatusOr<std::unique_ptr<Sink>> MakeCassandraSink(const engine::OperatorDescription& description) {
  MR_ASSIGN_OR_RETURN(cassandra::SinkOptions options, cassandra::ReadSinkOptions(description));
  return std::make_unique<cassandra::CassandraSink>(std::move(options));
}

}  // namespace millrace
