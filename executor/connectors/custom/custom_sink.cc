#include "executor/connectors/custom/custom_sink.h"

#include "executor/connectors/custom/guard.h"
#include "millrace/engine_connectors.h"

namespace millrace {
namespace {

using custom::Guarded;

class CustomWriter final : public SinkWriter {
 public:
  CustomWriter(std::string where, std::unique_ptr<engine::SinkWriter> writer)
      : where_(std::move(where)), writer_(std::move(writer)) {}

  absl::StatusOr<std::uint64_t> Open() override {
    std::uint64_t mark = 0;
    MR_RETURN_IF_ERROR(Guarded(where_, "LastMark", [&] { mark = writer_->LastMark(); }));
    return mark;
  }
  absl::Status Stage(std::uint64_t batch, std::int64_t batch_time_us, const RowBuffer& rows) override {
    return Guarded(where_, Concat("Stage of batch ", batch),
                   [&] { writer_->StageRows(batch, batch_time_us, rows.rows()); });
  }
  absl::Status Commit(std::uint64_t batch) override {
    return Guarded(where_, Concat("Commit of batch ", batch), [&] { writer_->Commit(batch); });
  }

 private:
  const std::string where_;
  const std::unique_ptr<engine::SinkWriter> writer_;
};

class CustomSink final : public Sink {
 public:
  CustomSink(std::string where, std::shared_ptr<engine::Sink> sink)
      : where_(std::move(where)), sink_(std::move(sink)) {}

  absl::StatusOr<std::unique_ptr<SinkWriter>> NewWriter(const SinkPartition& partition) override {
    const engine::SinkPartition theirs{
        partition.job_id, partition.job_name,  partition.sink,
        partition.stage,  partition.partition, (partition.epoch << 32) | (partition.version & 0xffffffffU)};
    const std::string where = Concat(where_, ", partition ", partition.partition);
    std::unique_ptr<engine::SinkWriter> writer;
    MR_RETURN_IF_ERROR(Guarded(where, "OpenWriter", [&] { writer = sink_->Open(theirs); }));
    return std::make_unique<CustomWriter>(where, std::move(writer));
  }

 private:
  const std::string where_;
  const std::shared_ptr<engine::Sink> sink_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> MakeCustomSink(const engine::OperatorDescription& description,
                                                     const engine::Program* program) {
  const std::string where = custom::WhereOf("sink", description);
  auto sink = program == nullptr ? nullptr : program->FindSink(description.id);
  if (!sink) return InvalidArgument(where, ": the job library has no such sink; write to it with ToSink");
  return std::make_unique<CustomSink>(where, std::move(sink));
}

}  // namespace millrace
