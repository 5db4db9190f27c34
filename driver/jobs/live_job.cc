#include "driver/jobs/live_job.h"

#include <algorithm>

#include "common/dataflow/wire.h"
#include "common/log.h"
#include "common/status.h"

namespace millrace {
namespace {
constexpr std::int64_t kSavepointWait = 300'000'000;
}

LiveJob::LiveJob(JobSeams seams, JobRecord record, JobPlan plan, JobLimits limits, const RecoveredJob* recovered,
                 const JobSnapshot* first)
    : seams_(seams),
      record_(std::move(record)),
      master_(record_.id, std::move(plan), seams.epoch, limits, recovered == nullptr ? first : &recovered->snapshot),
      output_(static_cast<std::int64_t>(record_.plan.remember_us())) {
  for (const v1::Operator& op : record_.plan.operators()) {
    if (op.kind() != v1::OPERATOR_KIND_SINK) continue;
    sink_names_[op.id()] = op.uid().empty() ? Concat(op.name(), "#", op.id()) : op.uid();
    const auto limit = op.sink().options().find("limit");
    if (limit != op.sink().options().end())
      print_limits_[op.id()] = static_cast<std::uint32_t>(std::strtoul(limit->second.c_str(), nullptr, 10));
  }
  if (recovered != nullptr && HasEnded(recovered->state)) {
    ended_ = true;
    ended_state_ = recovered->state;
    ended_error_ = recovered->error;
    ended_time_us_ = recovered->ended_time_us;
    return;
  }
  if (recovered != nullptr) return;
  v1::durable::JournalRecord snapshot;
  *snapshot.mutable_snapshot() = ToDurable(record_, master_.Snapshot());
  Journal(snapshot, nullptr, Durability::kNow);
}

void LiveJob::Handle(const JobEvent& event) {
  if (ended_) return;
  std::vector<JobAction> actions;
  master_.Step(seams_.loop.now_us(), event, &actions);
  for (JobAction& action : actions) Carry(action);
  TellSavepoints();
  if (ended_) return;
  if (master_.state() != shown_state_) {
    shown_state_ = master_.state();
    log::Info("job state", {{"job", record_.id},
                            {"name", record_.name},
                            {"state", v1::JobState_Name(static_cast<v1::JobState>(shown_state_))}});
    output_.StateChanged(Status(0, false));
  }
  ArmTimer();
}

// ---- savepoints ----

void LiveJob::Savepoint(std::function<void(absl::StatusOr<std::uint64_t>)> done) {
  if (ended_) return done(FailedPrecondition("job ", record_.id, " has ended: its last checkpoint is what there is"));
  if (!master_.plan().stateful()) return done(master_.committed());  // its positions are in the journal as they are
  const std::uint64_t number = ++next_savepoint_;
  savepoints_[number] = {master_.last_batch() + 1, std::move(done)};
  seams_.loop.PostAt(seams_.loop.now_us() + kSavepointWait, [self = weak_from_this(), number] {
    auto job = self.lock();
    if (!job) return;
    auto waiting = job->savepoints_.extract(number);
    if (waiting.empty()) return;
    const std::string notice = job->Notice();
    waiting.mapped().done(Unavailable("no savepoint of job ", job->record_.id, " came about in ",
                                      kSavepointWait / 1'000'000, " s", notice.empty() ? "" : ": ", notice));
  });
  Handle(SavepointRequested{});
}

void LiveJob::TellSavepoints() {
  const std::uint64_t newest = master_.checkpointed();
  for (auto it = savepoints_.begin(); it != savepoints_.end();) {
    const bool there = newest >= it->second.from || (ended_ && newest == master_.last_batch());
    if (!there && !ended_) {
      ++it;
      continue;
    }
    const auto done = std::move(it->second.done);
    it = savepoints_.erase(it);
    if (there) {
      done(newest);
    } else {
      done(FailedPrecondition("job ", record_.id, " has ended before its state was saved"));
    }
  }
}

void LiveJob::ArmTimer() {
  const std::optional<std::int64_t> next = master_.next_wakeup();
  if (!next || *next == armed_for_) return;
  armed_for_ = *next;
  seams_.loop.PostAt(*next, [self = weak_from_this(), at = *next] {
    auto job = self.lock();
    if (!job || job->armed_for_ != at) return;
    job->armed_for_ = 0;
    job->Handle(Tick{});
  });
}

// ---- actions ----

void LiveJob::Carry(JobAction& action) {
  std::visit([this](auto& a) { Do(a); }, action);
}

void LiveJob::Do(StartRunner& action) {
  Runner& runner = runners_[action.runner];
  runner.executor = action.executor;
  runner.last_heard_us = seams_.loop.now_us();
  v1::ExecutorCommand command;
  auto* start = command.mutable_start();
  start->set_job_id(record_.id);
  start->set_runner_id(action.runner);
  start->set_sha256(record_.sha256);
  start->set_name(record_.name);
  start->mutable_arguments()->insert(record_.arguments.begin(), record_.arguments.end());
  start->set_batch_interval_us(record_.batch_interval_us);
  start->set_fingerprint(record_.plan.fingerprint());
  seams_.host.SendToExecutor(action.executor, std::move(command));
}

void LiveJob::Do(StopRunner& action) {
  v1::ExecutorCommand command;
  command.mutable_stop()->set_job_id(record_.id);
  command.mutable_stop()->set_runner_id(action.runner);
  seams_.host.SendToExecutor(action.executor, std::move(command));
}

void LiveJob::SendToRunner(const std::string& runner, v1::RunnerCommand command) {
  const auto it = runners_.find(runner);
  if (it == runners_.end() || !it->second.port) return;
  command.set_epoch(seams_.epoch);
  it->second.port->Send(std::move(command));
}

void LiveJob::Do(SendRoute& action) {
  v1::RunnerCommand command;
  wire::ToProto(*action.route, command.mutable_route());
  SendToRunner(action.runner, std::move(command));
}

void LiveJob::Do(SendWork& action) {
  v1::RunnerCommand command;
  wire::ToProto(action.work, command.mutable_work());
  SendToRunner(action.runner, std::move(command));
}

void LiveJob::Do(SendEnumerate& action) {
  v1::RunnerCommand command;
  for (const std::uint32_t source : action.sources) command.mutable_enumerate()->add_sources(source);
  for (const std::uint32_t source : action.resumed) command.mutable_enumerate()->add_resumed(source);
  SendToRunner(action.runner, std::move(command));
}

void LiveJob::Journal(const v1::durable::JournalRecord& record, JournalService::Done done, Durability durability) {
  const absl::Status status = seams_.journal.Append(record_.id, record, std::move(done), durability);
  if (!status.ok()) JournalBroke(status);
}

// A journal that cannot be written any more ends the job on this driver: going on would mean effects that no one could
// repeat. What it had made durable is there for the next start.
void LiveJob::JournalBroke(const absl::Status& status) {
  if (!journal_error_.empty()) return;
  journal_error_ = Message(status);
  log::Error("journal broken", {{"job", record_.id}, {"error", journal_error_}});
  seams_.loop.Post([self = weak_from_this()] {
    if (auto job = self.lock()) job->Handle(StopRequested{true});
  });
}

void LiveJob::Do(AppendSplits& action) { Journal(ToDurable(action), nullptr, Durability::kNow); }

// Journals a record and answers the master when it is durable.
void LiveJob::JournalThen(const v1::durable::JournalRecord& record, JobEvent event) {
  Journal(
      record,
      [self = weak_from_this(), &loop = seams_.loop, event = std::move(event)](absl::Status status) {
        loop.Post([self, event, status = std::move(status)] {
          auto job = self.lock();
          if (!job) return;
          if (status.ok()) {
            job->Handle(event);
          } else {
            job->JournalBroke(status);
          }
        });
      },
      Durability::kNow);
}

void LiveJob::Do(AppendPlanned& action) { JournalThen(ToDurable(action), PlanDurable{action.planned.batch}); }

void LiveJob::Do(AppendCheckpoint& action) {
  JournalThen(ToDurable(action), CheckpointDurable{action.checkpoint.batch});
}

void LiveJob::Do(PassedOver& action) {
  log::Error(
      "damaged checkpoint passed over",
      {{"job", record_.id}, {"checkpoint", action.checkpoint}, {"instead", action.instead}, {"error", action.why}});
  Compact();
}

void LiveJob::Do(AppendCommitted& action) { Journal(ToDurable(action), nullptr, Durability::kLazy); }

void LiveJob::Do(EndJob& action) {
  ended_ = true;
  ended_time_us_ = seams_.loop.now_us();
  ended_state_ = journal_error_.empty() ? action.state : JobState::kFailed;
  ended_error_ = journal_error_.empty() ? action.error : "journal: " + journal_error_;
  if (journal_error_.empty()) {
    (void)seams_.journal.Append(record_.id, ToDurable(action, ended_time_us_), nullptr);
    (void)seams_.journal.CloseJob(record_.id);
  }
  for (auto& [id, runner] : runners_) {
    if (runner.port) runner.port->Close(Aborted("the job has ended"));
  }
  runners_.clear();
  log::Info("job ended", {{"job", record_.id},
                          {"name", record_.name},
                          {"state", static_cast<int>(ended_state_)},
                          {"error", ended_error_}});
  output_.Close(Status(0, false));
  seams_.host.JobEnded(record_.id);
}

// ---- runners ----

void LiveJob::ExecutorConnected(const std::string& executor, const std::vector<std::string>& its_runners) {
  if (ended_) return;
  // Runners that we believe to be there and that did not survive whatever broke the connection.
  std::vector<std::string> gone;
  for (const auto& [id, runner] : runners_) {
    if (runner.executor == executor && std::ranges::find(its_runners, id) == its_runners.end()) gone.push_back(id);
  }
  for (const std::string& id : gone) LoseRunner(id, "the executor came back without it", std::nullopt);
  for (const std::string& id : its_runners) {
    if (id.starts_with(record_.id + ".") && !master_.runners().HasExecutor(executor)) Adopt(executor, id);
  }
  Handle(ExecutorUp{executor});
}

// A runner of the driver before. It comes by itself, unless it dies first.
void LiveJob::Adopt(const std::string& executor, const std::string& runner) {
  log::Info("runner found", {{"job", record_.id}, {"runner", runner}});
  runners_[runner].executor = executor;
  runners_[runner].last_heard_us = seams_.loop.now_us();
  Handle(RunnerFound{executor, runner});
  LoseUnlessConnected(runner, seams_.adopt_wait_us, "it has not come back to this driver");
}

void LiveJob::LoseUnlessConnected(const std::string& id, std::int64_t wait_us, const char* reason) {
  seams_.loop.PostAt(seams_.loop.now_us() + wait_us, [self = weak_from_this(), id, reason] {
    auto job = self.lock();
    if (!job) return;
    const auto runner = job->runners_.find(id);
    if (runner != job->runners_.end() && !runner->second.port) job->LoseRunner(id, reason, std::nullopt);
  });
}

absl::Status LiveJob::RunnerConnected(const v1::RunnerHello& hello, std::shared_ptr<RunnerPort> port) {
  const auto it = runners_.find(hello.runner_id());
  if (ended_) return FailedPrecondition("job ", record_.id, " has ended");
  if (it == runners_.end()) return Unavailable("runner ", hello.runner_id(), " is not known, or not known yet");
  if (hello.fingerprint() != record_.plan.fingerprint()) {
    return InvalidArgument("runner ", hello.runner_id(),
                           " builds another graph than the planner did: the job body must not depend on time, "
                           "randomness or the machine");
  }
  it->second.port = std::move(port);
  it->second.last_heard_us = seams_.loop.now_us();
  log::Info("runner up", {{"job", record_.id}, {"runner", hello.runner_id()}});
  Handle(RunnerUp{hello.runner_id(), hello.block_address(), wire::FromProto(hello.holding())});
  return absl::OkStatus();
}

void LiveJob::RunnerMessage(const std::string& id, const v1::RunnerMessage& message) {
  const auto it = runners_.find(id);
  if (ended_ || it == runners_.end()) return;
  it->second.last_heard_us = seams_.loop.now_us();
  switch (message.message_case()) {
    case v1::RunnerMessage::kRanges:
      return Handle(RangesReported{id, wire::FromProto(message.ranges())});
    case v1::RunnerMessage::kDone:
      return Handle(DoneReported{id, wire::FromProto(message.done())});
    case v1::RunnerMessage::kState:
      return Handle(StateReported{id, wire::FromProto(message.state())});
    case v1::RunnerMessage::kFailure:
      log::Warn("task failed", {{"job", record_.id},
                                {"runner", id},
                                {"batch", message.failure().batch()},
                                {"error", message.failure().error()}});
      return Handle(FailureReported{id, wire::FromProto(message.failure())});
    case v1::RunnerMessage::kSplits:
      return Handle(SplitsReported{id, wire::FromProto(message.splits())});
    case v1::RunnerMessage::kStatus:
      it->second.status = message.status();
      return;
    case v1::RunnerMessage::kRows: {
      const v1::ConsoleRows& in = message.rows();
      v1::OutputRows rows;
      rows.set_sink(in.sink());
      rows.set_name(sink_names_[in.sink()]);
      rows.set_batch(in.batch());
      rows.set_batch_time_us(in.batch_time_us());
      rows.set_partition(in.partition());
      *rows.mutable_rows() = in.rows();
      rows.set_total(in.total());
      rows.set_limit(print_limits_[in.sink()]);
      return output_.AddRows(std::move(rows));
    }
    case v1::RunnerMessage::kHello:
    case v1::RunnerMessage::MESSAGE_NOT_SET:
      return;
  }
}

void LiveJob::RunnerDisconnected(const std::string& id, const RunnerPort* port) {
  const auto it = runners_.find(id);
  if (ended_ || it == runners_.end() || it->second.port.get() != port) return;
  it->second.port.reset();
  // Its executor knows how it ended, and tells at once; if that does not come, the runner is cut off.
  LoseUnlessConnected(id, seams_.runner_grace_us, "its connection to the driver broke");
}

void LiveJob::RunnerExited(const v1::RunnerExited& exited) {
  std::optional<Crash> crash;
  if (exited.signal() != 0 && exited.in_operator())
    crash = Crash{exited.signal(), exited.operator_id(), exited.batch()};
  LoseRunner(exited.runner_id(), exited.detail(), crash);
}

void LiveJob::LoseRunner(const std::string& id, std::string reason, std::optional<Crash> crash) {
  const auto it = runners_.find(id);
  if (ended_ || it == runners_.end()) return;
  log::Warn("runner lost", {{"job", record_.id}, {"runner", id}, {"reason", reason}});
  StopRunner stop{it->second.executor, id};
  if (it->second.port) it->second.port->Close(Aborted("it was taken for lost"));
  runners_.erase(it);
  Do(stop);
  Handle(RunnerLost{id, std::move(reason), crash});
}

bool LiveJob::RunsOn(const std::string& executor) const {
  return std::ranges::any_of(runners_,
                             [&](const auto& entry) { return entry.second.executor == executor && entry.second.port; });
}

void LiveJob::CheckSilence() {
  const std::int64_t limit = seams_.loop.now_us() - seams_.runner_silence_us;
  std::vector<std::string> silent;
  for (const auto& [id, runner] : runners_) {
    if (runner.port && runner.last_heard_us < limit) silent.push_back(id);
  }
  for (const std::string& id : silent) {
    LoseRunner(id, Concat("nothing was heard of it for ", seams_.runner_silence_us / 1'000'000, " s"), std::nullopt);
  }
}

void LiveJob::Compact() {
  if (ended_) return;
  const absl::Status status = seams_.journal.Rewrite(record_.id, ToDurable(record_, master_.Snapshot()));
  if (!status.ok()) JournalBroke(status);
}

std::set<std::string> LiveJob::CheckpointFiles() const {
  if (!ended_) return master_.checkpoints().Files();
  std::set<std::string> names;
  for (const auto& [task, chain] : master_.checkpoints().newest().chains) {
    for (const StateFile& file : chain) names.insert(file.name);
  }
  return names;
}

std::uint64_t LiveJob::checkpoints_settled_through() const {
  if (!journal_error_.empty()) return 0;  // another driver may find it alive
  return ended_ ? UINT64_MAX : master_.checkpoints().settled_through();
}

// ---- status ----

// Of a job that was stopped before all was done.
std::string LiveJob::EndNotice() const {
  if (ended_state_ != JobState::kStopped) return {};
  if (master_.committed() < master_.last_batch()) {
    return Concat("stopped before batches ", master_.committed() + 1, " to ", master_.last_batch(),
                  " were committed; submit --from it goes on before them");
  }
  if (!master_.plan().stateful() || master_.checkpointed() == master_.last_batch()) return {};
  return Concat("stopped before the state after batch ", master_.last_batch(),
                " was saved; submit --from it goes on after batch ", master_.checkpointed());
}

std::string LiveJob::Notice() const {
  if (ended_) return EndNotice();
  if (std::string problem = seams_.journal.problem(record_.id); !problem.empty()) return "journal: " + problem;
  if (std::string notice = master_.Notice(); !notice.empty()) return notice;
  for (const auto& [id, runner] : runners_) {
    if (!runner.status.storage_problem().empty()) return Concat(id, ": ", runner.status.storage_problem());
    if (!runner.status.state_problem().empty()) return Concat(id, ": ", runner.status.state_problem());
    for (const auto& problem : runner.status.problems())
      return Concat(master_.plan().Label(problem.source()), ": ", problem.text());
  }
  return {};
}

v1::JobStatus LiveJob::Status(std::uint32_t batches, bool with_plan) const {
  v1::JobStatus out;
  out.set_id(record_.id);
  out.set_name(record_.name);
  out.set_state(static_cast<v1::JobState>(ended_ ? ended_state_ : master_.state()));
  out.set_error(ended_error_);
  out.set_submitted_time_us(record_.submitted_time_us);
  out.set_ended_time_us(ended_time_us_);
  out.set_batch_interval_us(record_.plan.batch_interval_us());
  out.set_batches_committed(master_.committed());
  out.set_batches_pending(master_.batches().pending());
  out.set_batches_late(master_.batches().late());
  out.set_records(master_.committed_records());
  out.set_runner_failures(master_.runners().total_failures());
  out.set_task_retries(master_.batches().retries());
  out.set_notice(Notice());
  for (const std::string& executor : master_.runners().executors_up()) out.add_runners(executor);
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : record_.sha256) {
    out.mutable_artifact_sha256()->push_back(kHex[static_cast<unsigned char>(c) >> 4]);
    out.mutable_artifact_sha256()->push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
  FillBatches(batches, &out);
  FillSources(&out);
  FillState(&out);
  if (with_plan) *out.mutable_plan() = record_.plan;
  return out;
}

void LiveJob::FillBatches(std::uint32_t wanted, v1::JobStatus* out) const {
  const auto positive = [](std::int64_t us) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, us)); };
  for (const BatchFigures& f : master_.batches().figures()) {
    if (static_cast<std::uint32_t>(out->batches_size()) >= wanted) return;
    auto* b = out->add_batches();
    const std::int64_t until = f.committed_us == 0 ? seams_.loop.now_us() : f.committed_us;
    b->set_batch(f.batch);
    b->set_batch_time_us(f.due_us);
    b->set_records(f.records);
    b->set_scheduling_delay_us(positive(f.cut_us - f.due_us));
    b->set_processing_us(positive(until - f.cut_us));
    b->set_total_delay_us(positive(until - f.due_us));
    b->set_committed(f.committed_us != 0);
    b->set_retries(f.retries);
  }
}

void LiveJob::FillState(v1::JobStatus* out) const {
  out->set_checkpoint_batch(master_.checkpointed());
  out->set_checkpoints_passed_over(master_.checkpoints_passed_over());
  for (const auto& [counter, value] : master_.counts()) {
    auto* c = out->add_counts();
    c->set_operator_id(counter.first);
    c->set_label(master_.plan().Label(counter.first));
    c->set_name(counter.second);
    c->set_value(value);
  }
  std::uint64_t memory = 0;
  std::uint64_t disk = 0;
  std::uint64_t corrupt = 0;
  for (const auto& [id, runner] : runners_) {
    memory += runner.status.state_memory_bytes();
    disk += runner.status.state_disk_bytes();
    corrupt += runner.status.corrupt_blocks();
  }
  out->set_state_memory_bytes(memory);
  out->set_state_disk_bytes(disk);
  out->set_corrupt_blocks(corrupt);
}

void LiveJob::FillSources(v1::JobStatus* out) const {
  for (const SourcePlan& source : master_.plan().sources) {
    auto* s = out->add_sources();
    s->set_operator_id(source.op);
    s->set_connector(source.connector);
    s->set_description(source.description);
    s->set_splits(static_cast<std::uint32_t>(master_.splits().count(source.op)));
    s->set_records(master_.committed_records(source.op));
    s->set_lost_records(source.replayable ? 0 : master_.lost_records());
    s->set_problem(master_.splits().problem(source.op));
    for (const auto& [id, runner] : runners_) {
      for (const auto& problem : runner.status.problems()) {
        if (problem.source() == source.op && s->problem().empty()) s->set_problem(problem.text());
      }
    }
  }
}

}  // namespace millrace
