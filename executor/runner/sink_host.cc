#include "executor/runner/sink_host.h"

#include <algorithm>
#include <chrono>

#include "common/log.h"
#include "common/status.h"

namespace millrace {
namespace {
constexpr std::chrono::milliseconds kFirstWait{100};
constexpr std::chrono::milliseconds kLongestWait{2000};
}  // namespace

absl::StatusOr<std::unique_ptr<SinkHost>> SinkHost::Make(const engine::Program& program, const std::string& job_id) {
  const engine::GraphDescription& graph = program.description();
  auto host = std::unique_ptr<SinkHost>(new SinkHost(job_id, graph.name));
  for (const engine::OperatorDescription& op : graph.operators) {
    if (op.kind != engine::OperatorKind::kSink || op.connector == "console" || op.connector == "function") continue;
    auto sink = MakeSink(op, &program);
    if (!sink.ok()) return Annotate(sink.status(), op.name, " at ", op.location);
    host->sinks_[op.id] = {*std::move(sink), op.uid.empty() ? Concat("op", op.id) : op.uid};
  }
  return host;
}

std::shared_ptr<SinkHost::Slot> SinkHost::SlotOf(std::uint32_t sink, TaskKey task) {
  std::lock_guard lock(mutex_);
  auto& slot = slots_[{sink, task}];
  if (!slot) slot = std::make_shared<Slot>();
  return slot;
}

absl::Status SinkHost::TryCommit(const SinkEntry& entry, Slot& slot, const runner::TaskRef& ref, std::uint64_t epoch,
                                 const RowBuffer& rows) {
  if (!slot.writer) {
    const SinkPartition partition{job_id_, job_name_,  entry.name, ref.task.stage, ref.task.partition,
                                  epoch,   ref.version};
    MR_ASSIGN_OR_RETURN(auto writer, entry.sink->NewWriter(partition));
    MR_ASSIGN_OR_RETURN(slot.mark, writer->Open());
    slot.writer = std::move(writer);
  }
  if (ref.batch <= slot.mark) return absl::OkStatus();
  MR_RETURN_IF_ERROR(slot.writer->Stage(ref.batch, ref.batch_time_us, rows));
  MR_RETURN_IF_ERROR(slot.writer->Commit(ref.batch));
  slot.mark = ref.batch;
  return absl::OkStatus();
}

absl::Status SinkHost::Commit(std::uint32_t sink, const runner::TaskRef& ref, std::uint64_t epoch,
                              const RowBuffer& rows) {
  const SinkEntry& entry = sinks_.at(sink);
  const auto slot = SlotOf(sink, ref.task);
  std::lock_guard busy(slot->busy);
  for (auto wait = kFirstWait;; wait = std::min(wait * 2, kLongestWait)) {
    {
      std::lock_guard lock(mutex_);
      if (slot->released) return Aborted("this runner does not own the partition any more");
    }
    const absl::Status status = TryCommit(entry, *slot, ref, epoch, rows);
    if (!status.ok()) slot->writer.reset();
    std::unique_lock lock(mutex_);
    slot->problem = absl::IsUnavailable(status) || absl::IsResourceExhausted(status) ? Message(status) : std::string();
    if (slot->problem.empty()) return status;
    log::Warn("sink waits", {{"sink", entry.name}, {"batch", ref.batch}, {"why", slot->problem}});
    released_.wait_for(lock, wait, [&] { return slot->released; });
  }
}

void SinkHost::Release(TaskKey task) {
  {
    std::lock_guard lock(mutex_);
    std::erase_if(slots_, [&](auto& entry) {
      if (entry.first.second != task) return false;
      entry.second->released = true;
      return true;
    });
  }
  released_.notify_all();
}

std::vector<std::pair<std::uint32_t, std::string>> SinkHost::Problems() const {
  std::vector<std::pair<std::uint32_t, std::string>> problems;
  std::lock_guard lock(mutex_);
  for (const auto& [key, slot] : slots_) {
    if (!slot->problem.empty()) problems.emplace_back(key.first, slot->problem);
  }
  return problems;
}

}  // namespace millrace
