#include "executor/runner/runner.h"

#include <algorithm>
#include <map>

#include "common/dataflow/wire.h"
#include "common/log.h"
#include "common/status.h"
#include "executor/runner/crash_handler.h"

namespace millrace {
namespace {

constexpr std::int64_t kReadRetry = 500'000;
constexpr std::size_t kCommitters = 8;
constexpr std::uint64_t kNoLimit = ~0ULL;

// Damaged, and so dropped, or dropped before.
bool IsGone(const absl::Status& status) { return absl::IsDataLoss(status) || absl::IsNotFound(status); }

// What jobs ask for with DStream::Persist, by shuffle.
std::map<std::uint32_t, Residence> Residences(const engine::GraphDescription& graph) {
  std::map<std::uint32_t, Residence> residences;
  for (const engine::OperatorDescription& op : graph.operators) {
    const auto level = op.options.find("storage");
    if (op.kind != engine::OperatorKind::kShuffle || level == op.options.end()) continue;
    if (level->second == "memory") residences[op.id] = Residence::kMemory;
    if (level->second == "disk") residences[op.id] = Residence::kDisk;
  }
  return residences;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Runner>> Runner::Make(RunnerSettings settings, LoadedJob job, EventLoop& loop,
                                                     RunnerTransport& transport) {
  MR_ASSIGN_OR_RETURN(JobPlan plan, wire::FromProto(job.plan));
  auto runner =
      std::unique_ptr<Runner>(new Runner(std::move(settings), std::move(job), std::move(plan), loop, transport));
  Runner& r = *runner;
  MR_ASSIGN_OR_RETURN(r.sources_, SourceHost::Make(r.job_.program->description(),
                                                   {r.settings_.job_id, r.settings_.checkpoints, r.job_.program.get()},
                                                   [&r](SplitReport report) {
                                                     v1::RunnerMessage message;
                                                     wire::ToProto(report, message.mutable_splits());
                                                     r.loop_.Post([&r, message = std::move(message)]() mutable {
                                                       r.transport_.Report(std::move(message));
                                                     });
                                                   }));
  MR_ASSIGN_OR_RETURN(r.sinks_, SinkHost::Make(*r.job_.program, r.settings_.job_id));
  MR_ASSIGN_OR_RETURN(r.lookups_, LookupHost::Make(r.job_.program->description()));
  r.workers_ = std::make_unique<WorkerPool>("worker", std::max(1U, r.settings_.slots), PrepareThreadForCrash);
  r.committers_ = std::make_unique<WorkerPool>("committer", kCommitters, PrepareThreadForCrash);
  r.early_ = std::make_unique<EarlyMaps>(
      loop, *r.workers_,
      [&r](const SplitKey& split, std::string_view start, std::uint64_t max_records) {
        return r.sources_->Close(split, start, max_records);
      },
      [&r](const runner::TaskRef& ref, std::uint64_t epoch) { return r.NewRun(ref, epoch, nullptr); });
  MR_RETURN_IF_ERROR(r.OpenState());
  return runner;
}

Runner::Runner(RunnerSettings settings, LoadedJob job, JobPlan plan, EventLoop& loop, RunnerTransport& transport)
    : settings_(std::move(settings)),
      job_(std::move(job)),
      plan_(std::move(plan)),
      loop_(loop),
      transport_(transport),
      core_(plan_, settings_.runner_id),
      blocks_({.dir = settings_.data_dir + "/blocks",
               .memory_budget_bytes = blocks_budget(),
               .residence = Residences(job_.program->description())}) {}

// State on disk has half of the memory for its caches.
std::uint64_t Runner::blocks_budget() const {
  return plan_.stateful() && job_.plan.state_on_disk() ? settings_.memory_bytes / 2 : settings_.memory_bytes;
}

// Workers may be waiting for servers that are away.
Runner::~Runner() {
  if (lookups_) lookups_->Stop();
}

absl::Status Runner::Handle(const v1::RunnerCommand& command) {
  if (command.epoch() < epoch_) {
    log::Warn("command of an older driver term refused", {{"epoch", command.epoch()}, {"newest", epoch_}});
    return absl::OkStatus();
  }
  if (command.has_route()) {
    MR_ASSIGN_OR_RETURN(Route route, wire::FromProto(command.route()));
    MR_RETURN_IF_ERROR(wire::Check(route, plan_));
    Follow(command.epoch());
    Step(runner::RouteReceived{std::move(route)});
  } else if (command.has_work()) {
    BatchWork work = wire::FromProto(command.work());
    MR_RETURN_IF_ERROR(wire::Check(work, plan_));
    Follow(command.epoch());
    for (const CutSplit& split : work.cut.splits) {
      if (split.drain) sources_->Drain(split.key);
    }
    Step(runner::WorkReceived{std::move(work)});
  } else if (command.has_enumerate()) {
    Follow(command.epoch());
    const v1::Enumerate& enumerate = command.enumerate();
    sources_->Enumerate({enumerate.sources().begin(), enumerate.sources().end()},
                        {enumerate.resumed().begin(), enumerate.resumed().end()});
  }
  return absl::OkStatus();
}

void Runner::Follow(std::uint64_t epoch) {
  if (epoch <= epoch_) return;
  if (std::exchange(epoch_, epoch) == 0) return;
  early_->Clear();
  Step(runner::NewTerm{});
  sources_->Enumerate({}, {});  // whoever is to list them will be told
}

// A peer may hear of a new driver before we do; its blocks belong to batches whose numbers the old one may have used.
void Runner::TakeBlock(std::uint64_t epoch, BlockKey key, std::uint64_t input_hash) {
  loop_.Post([this, epoch, key, input_hash] {
    Follow(epoch);
    Step(runner::BlockReceived{key, input_hash});
  });
}

v1::RunnerStatus Runner::Status() const {
  v1::RunnerStatus status;
  const BlockStoreStats stats = blocks_.Stats();
  status.set_block_memory_bytes(stats.memory_bytes);
  status.set_block_disk_bytes(stats.disk_bytes);
  status.set_corrupt_blocks(stats.corrupt);
  status.set_storage_problem(blocks_.Problem());
  FillStateStatus(&status);
  auto problems = sources_->Problems();
  std::ranges::move(sinks_->Problems(), std::back_inserter(problems));
  std::ranges::move(lookups_->Problems(), std::back_inserter(problems));
  for (auto& [op, text] : problems) {
    auto* problem = status.add_problems();
    problem->set_source(op);
    problem->set_text(std::move(text));
  }
  return status;
}

// ---- the core ----

void Runner::Step(const runner::Event& event) {
  std::vector<runner::Action> actions;
  core_.Step(event, &actions);
  for (const runner::Action& action : actions) std::visit([this](const auto& a) { Do(a); }, action);
}

void Runner::PostEvent(runner::Event event) {
  loop_.Post([this, event = std::move(event)] { Step(event); });
}

void Runner::Do(const runner::ArmCut& action) {
  for (const runner::CloseRange& range : action.announced)
    if (sources_->early_limit(range.split.source) > 0) early_->Begin(range, epoch_, LimitOf(range), action.after_us);
  loop_.PostAt(loop_.now_us() + action.after_us, [this, batch = action.batch] { Step(runner::CutDue{batch}); });
}

void Runner::Do(const runner::CloseRange& action) {
  working_.insert(action.ref.attempt);
  workers_->Post([this, action, epoch = epoch_] { CloseAndMap(action, epoch); });
}

void Runner::Do(const runner::ReadRange& action) {
  early_->Drop(action.range.key);  // the reader is needed elsewhere
  working_.insert(action.ref.attempt);
  workers_->Post([this, action, epoch = epoch_] { ReadAndMap(action, epoch); });
}

void Runner::Do(const runner::RunReduce& action) {
  working_.insert(action.ref.attempt);
  if (plan_.stages[action.ref.task.stage].stateful)
    return strands_->Post(action.ref.task, [this, action, epoch = epoch_] { Reduce(action, epoch); });
  workers_->Post([this, action, epoch = epoch_] { Reduce(action, epoch); });
}

void Runner::Do(const runner::CommitTask& action) {
  const auto run = computed_.find(action.ref.attempt);
  MR_CHECK(run != computed_.end());
  committers_->Post([this, run = run->second, epoch = epoch_] { Commit(run, epoch); });
}

void Runner::Do(const runner::DropTask& action) {
  computed_.erase(action.attempt);
  if (!working_.contains(action.attempt)) return;
  dropped_.insert(action.attempt);
  lookups_->Abandon(action.attempt);
}

void Runner::Do(const runner::PushBlocks& action) {
  workers_->Post([this, action, epoch = epoch_] {
    std::vector<std::shared_ptr<const Block>> found;
    std::vector<runner::MadeBlock> lost;
    for (const runner::MadeBlock& wanted : action.blocks) {
      auto block = blocks_.Get({wanted.key, wanted.input_hash});
      if (block.ok()) {
        found.push_back(*std::move(block));
      } else if (IsGone(block.status())) {
        lost.push_back(wanted);  // unless its batch is committed
      }
    }
    if (!lost.empty()) LoseBlocks(0, std::move(lost));
    loop_.Post([this, runner = action.runner, epoch, found = std::move(found)]() mutable {
      transport_.Push(runner, epoch, std::move(found));
    });
  });
}

void Runner::Do(const runner::AskBlocks& action) { transport_.Ask(action.runner, action.blocks); }
void Runner::Do(const runner::UpdatePeers& action) { transport_.UpdatePeers(action.peers); }
void Runner::Do(const runner::ReleaseSplit& action) {
  early_->Drop(action.split);
  workers_->Post(sources_->Release(action.split));
}
void Runner::Do(const runner::ForgetRecords& action) {
  // Most sources hold nothing.
  if (!sources_->forgets(action.split.source)) return;
  workers_->Post([this, action] { sources_->Forget(action.split, action.end); });
}
void Runner::Do(const runner::ReleaseSinks& action) { sinks_->Release(action.task); }

void Runner::Do(const runner::DropBlocks& action) {
  workers_->Post([this, through = action.through] { blocks_.DropThrough(through); });
}

void Runner::Do(const runner::ReportRanges& action) {
  v1::RunnerMessage message;
  wire::ToProto(action.report, message.mutable_ranges());
  transport_.Report(std::move(message));
}

void Runner::Do(const runner::ReportDone& action) {
  v1::RunnerMessage message;
  wire::ToProto(action.done, message.mutable_done());
  transport_.Report(std::move(message));
}

void Runner::Do(const runner::ReportFailure& action) {
  v1::RunnerMessage message;
  wire::ToProto(action.failure, message.mutable_failure());
  transport_.Report(std::move(message));
}

// A name that means nothing here was itself damaged: then everything that the peer may lack is pushed. So is a block
// that is damaged here, too, once it is made again.
void Runner::Resend(const std::string& peer, std::vector<runner::MadeBlock> blocks) {
  workers_->Post([this, peer, blocks = std::move(blocks)] {
    bool all_known = true;
    std::vector<runner::MadeBlock> damaged;
    for (const runner::MadeBlock& block : blocks) {
      const absl::Status status = blocks_.Check({block.key, block.input_hash});
      if (absl::IsDataLoss(status)) damaged.push_back(block);
      all_known = all_known && !absl::IsNotFound(status);
    }
    if (!damaged.empty()) LoseBlocks(0, std::move(damaged));
    loop_.Post([this, peer, blocks, all_known] {
      all_known ? Do(runner::PushBlocks{peer, blocks}) : Step(runner::PeerReconnected{peer});
    });
  });
}

// ---- on workers ----

void Runner::LoseBlocks(runner::AttemptId attempt, std::vector<runner::MadeBlock> blocks) {
  loop_.Post([this, attempt, blocks = std::move(blocks)]() mutable {
    working_.erase(attempt);
    dropped_.erase(attempt);
    Step(runner::BlocksLost{attempt, std::move(blocks)});
  });
}

void Runner::Fail(const runner::TaskRef& ref, std::uint32_t op, std::string error, bool permanent) {
  loop_.Post([this, attempt = ref.attempt, op, error = std::move(error), permanent] {
    working_.erase(attempt);
    dropped_.erase(attempt);
    Step(runner::TaskFailed{attempt, op, error, permanent});
  });
}

std::shared_ptr<TaskRun> Runner::NewRun(const runner::TaskRef& ref, std::uint64_t epoch, engine::State* state) const {
  return std::make_shared<TaskRun>(*job_.program, plan_.name, ref, epoch, state, *lookups_);
}

template <class Feed>
void Runner::Compute(std::shared_ptr<TaskRun> run, const runner::TaskRef& ref, std::uint64_t input_hash,
                     std::uint64_t lost, Feed&& feed) {
  if (auto error = run->Compute(ref.attempt, input_hash, feed))
    return Fail(ref, error->op, std::move(error->text), error->permanent);
  if (plan_.stages[ref.task.stage].stateful) {
    if (const absl::Status status = states_->Commit(ref.task); !status.ok())
      return Fail(ref, plan_.stages[ref.task.stage].root, Message(status), false);
  }
  runner::TaskComputed computed{ref.attempt, {}, lost, run->counts()};
  for (const auto& block : run->TakeBlocks()) {
    if (const absl::Status status = blocks_.Put(block, Keep::kNeeded); !status.ok())
      return Fail(ref, plan_.stages[ref.task.stage].root, Message(status), false);
    computed.blocks.push_back({block->key, block->input_hash});
  }
  loop_.Post([this, run = std::move(run), computed = std::move(computed)]() mutable {
    working_.erase(computed.attempt);
    const bool wanted = dropped_.erase(computed.attempt) == 0 && !plan_.stages[run->ref().task.stage].sinks.empty();
    if (wanted) computed_[computed.attempt] = std::move(run);
    Step(computed);
  });
}

void Runner::Map(std::shared_ptr<TaskRun> run, const runner::TaskRef& ref, const Range& range, RecordBatch* records,
                 std::uint64_t lost) {
  Compute(std::move(run), ref, RangeHash(range), lost, [&](engine::Task& task) {
    if (records == nullptr) return;
    for (auto chunk = records->Next(); !chunk.empty(); chunk = records->Next()) task.Records(chunk);
  });
}

// How many records the range may have: what the cut says, and for a source that is closed in pieces also its own limit.
std::uint64_t Runner::LimitOf(const runner::CloseRange& range) const {
  const std::uint64_t own = sources_->early_limit(range.split.source);
  const std::uint64_t limit = range.max_records == 0 ? kNoLimit : range.max_records;
  return own == 0 ? limit : std::min(limit, own);
}

void Runner::CloseAndMap(const runner::CloseRange& action, std::uint64_t epoch) {
  const StagePlan& stage = plan_.stages[action.ref.task.stage];
  EarlyMaps::Part early = early_->Take(action, epoch);
  ClosedRange rest;
  rest.end = early.end;
  rest.finished = early.finished;
  const std::uint64_t limit = LimitOf(action);
  if (!early.finished && early.records < limit) {
    auto closed = sources_->Close(action.split, early.end, limit == kNoLimit ? 0 : limit - early.records);
    if (closed.ok()) {
      rest = *std::move(closed);
    } else if (!absl::IsUnavailable(closed.status())) {
      return Fail(action.ref, stage.root, Message(closed.status()), IsPermanent(closed.status()));
    }  // else: a source out of reach holds nothing back, its part of the batch is what there is
  }
  const std::uint64_t records = early.records + rest.records;
  const Range range{action.split, action.ref.task.partition, action.start, rest.end, records, rest.finished};
  PostEvent(runner::RangeClosed{action.ref.attempt, range.end, range.records, range.finished});
  if (RangeRuns(stage, range)) {
    if (!early.run) early.run = NewRun(action.ref, epoch, nullptr);
    return Map(std::move(early.run), action.ref, range, rest.data.get(), 0);
  }
  loop_.Post([this, attempt = action.ref.attempt] {
    working_.erase(attempt);
    dropped_.erase(attempt);
    Step(runner::TaskComputed{attempt, {}, 0, {}});
  });
}

void Runner::ReadAndMap(const runner::ReadRange& action, std::uint64_t epoch) {
  const std::uint32_t source = plan_.stages[action.ref.task.stage].root;
  std::unique_ptr<RecordBatch> records;
  std::uint64_t lost = 0;
  if (action.range.start != action.range.end) {
    auto read = sources_->Read(action.range);
    if (absl::IsUnavailable(read.status())) {
      loop_.PostAt(loop_.now_us() + kReadRetry, [this, action] {
        if (dropped_.erase(action.ref.attempt) == 0) return Do(action);
        working_.erase(action.ref.attempt);
        Step(runner::TaskComputed{action.ref.attempt, {}, 0, {}});
      });
      return;
    }
    if (read.ok()) {
      records = *std::move(read);
    } else if (!sources_->replayable(source)) {
      lost = action.range.records;  // gone with the runner that had received it: counted, shown, and the batch goes on
    } else {
      return Fail(action.ref, source, Message(read.status()), IsPermanent(read.status()));
    }
  }
  Map(NewRun(action.ref, epoch, nullptr), action.ref, action.range, records.get(), lost);
}

void Runner::Reduce(const runner::RunReduce& action, std::uint64_t epoch) {
  std::vector<std::shared_ptr<const Block>> inputs;
  std::vector<runner::MadeBlock> lost;
  for (const runner::MadeBlock& input : action.inputs) {
    auto block = blocks_.Get({input.key, input.input_hash});
    if (IsGone(block.status())) {
      lost.push_back(input);
    } else if (!block.ok()) {
      return Fail(action.ref, plan_.stages[action.ref.task.stage].root, Message(block.status()), false);
    } else {
      inputs.push_back(*std::move(block));
    }
  }
  if (!lost.empty()) return LoseBlocks(action.ref.attempt, std::move(lost));
  engine::State* state = nullptr;
  if (plan_.stages[action.ref.task.stage].stateful) {
    state = states_->Find(action.ref.task);
    if (state == nullptr)
      return Fail(action.ref, plan_.stages[action.ref.task.stage].root, "its state is gone, the task was dropped",
                  false);
  }
  Compute(NewRun(action.ref, epoch, state), action.ref, action.input_hash, 0, [&](engine::Task& task) {
    for (const auto& block : inputs) task.Block(block->data);  // one without records may still say how far time is
  });
}

// ---- on committers ----

void Runner::SendConsoleRows(TaskRun& run, std::uint32_t sink) {
  v1::RunnerMessage message;
  auto* rows = message.mutable_rows();
  rows->set_sink(sink);
  rows->set_batch(run.ref().batch);
  rows->set_batch_time_us(run.ref().batch_time_us);
  rows->set_partition(run.ref().task.partition);
  std::uint64_t total = 0;
  bool cut = false;
  for (const engine::SinkRow& row : run.rows(sink).rows()) {
    if (row.has_key && row.key == "total") {  // the last row, when not all are sent
      total = std::strtoull(std::string(row.value).c_str(), nullptr, 10);
      cut = true;
    } else {
      rows->add_rows(std::string(row.value));
    }
  }
  rows->set_total(cut ? total : static_cast<std::uint64_t>(rows->rows_size()));
  loop_.Post([this, message = std::move(message)]() mutable { transport_.Report(std::move(message)); });
}

absl::Status Runner::CommitSink(TaskRun& run, std::uint32_t sink, std::uint64_t epoch) {
  if (sinks_->Has(sink)) return sinks_->Commit(sink, run.ref(), epoch, run.rows(sink));
  if (job_.program->description().operators[sink].connector == "console") {
    SendConsoleRows(run, sink);
    return absl::OkStatus();
  }
  if (auto error = run.RunFunction(sink)) return Internal(error->text);
  return absl::OkStatus();
}

void Runner::Commit(const std::shared_ptr<TaskRun>& run, std::uint64_t epoch) {
  for (const std::uint32_t sink : plan_.stages[run->ref().task.stage].sinks) {
    if (const absl::Status status = CommitSink(*run, sink, epoch); !status.ok())
      return Fail(run->ref(), sink, Message(status), IsPermanent(status));
  }
  PostEvent(runner::TaskCommitted{run->ref().attempt});
}

}  // namespace millrace
