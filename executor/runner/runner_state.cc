// The runner's actions on state: restoring it, saving it, and giving it to tasks. Everything that touches a partition's
// state goes through its strand; files are written by one thread beside the workers.
#include <chrono>

#include "common/dataflow/wire.h"
#include "common/log.h"
#include "common/status.h"
#include "executor/runner/runner.h"
#include "executor/state/open_checkpoint_store.h"

namespace millrace {
namespace {
constexpr std::int64_t kSaveRetry = 1'000'000;
constexpr std::int64_t kRestoreRetry = 1'000'000;

// The store is away, or does not let us in: nothing says that the files are not good.
bool MayPass(const absl::Status& status) { return absl::IsUnavailable(status) || absl::IsPermissionDenied(status); }
}  // namespace

absl::Status Runner::OpenState() {
  if (!plan_.stateful()) return absl::OkStatus();
  if (settings_.checkpoints.place.empty())
    return FailedPrecondition("job ", settings_.job_id,
                              " keeps state, and this runner has no folder for checkpoints: set ",
                              "checkpoint_dir in the executor's configuration");
  StateHostOptions options;
  options.scratch_dir = settings_.data_dir + "/state";
  options.memory_budget_bytes = settings_.memory_bytes - blocks_budget();
  MR_ASSIGN_OR_RETURN(options.checkpoints, OpenCheckpointStore(settings_.checkpoints));
  const std::shared_ptr<CheckpointStore> store = options.checkpoints;
  options.job_id = settings_.job_id;
  states_ = std::make_unique<StateHost>(*job_.program, std::move(options));
  strands_ = std::make_unique<StateStrands>(loop_, *workers_);
  saver_ = std::make_unique<WorkerPool>("saver", 1, nullptr);
  saver_->Post([store] {
    if (const absl::Status status = store->RemoveAbandoned(); !status.ok())
      log::Warn("what dead writers of checkpoints have left stays", {{"error", Message(status)}});
  });
  return absl::OkStatus();
}

void Runner::FailState(runner::AttemptId attempt, TaskKey task, const absl::Status& status) {
  log::Error("state", {{"stage", task.stage}, {"partition", task.partition}, {"error", Message(status)}});
  const bool permanent = absl::IsInvalidArgument(status);
  PostEvent(runner::TaskFailed{attempt, plan_.stages[task.stage].root, Message(status), permanent});
}

// The files at fault, if it is they; nothing, with the reason, while the store cannot be asked.
absl::StatusOr<Runner::Damage> Runner::FindDamage(const StateChain& chain) {
  MR_ASSIGN_OR_RETURN(const std::vector<DamagedFile> files, states_->FindDamaged(chain));
  Damage damage;
  for (const DamagedFile& file : files) {
    damage.names.push_back(file.name);
    damage.error += Concat(damage.error.empty() ? "" : "; ", file.why);
    log::Error("checkpoint file damaged", {{"file", file.name}, {"error", file.why}});
  }
  return damage;
}

void Runner::Do(const runner::RestoreState& action) {
  restoring_[action.task] = action.attempt;
  strands_->Post(action.task, [this, action] {
    const auto begun = std::chrono::steady_clock::now();
    const absl::Status status = states_->Restore(action.task, action.files);
    if (MayPass(status)) return RestoreLater(action, status);
    if (absl::IsDataLoss(status) || absl::IsNotFound(status)) {
      const absl::StatusOr<Damage> damage = FindDamage(action.files);
      if (!damage.ok()) return RestoreLater(action, damage.status());
      if (!damage->names.empty()) {
        return PostEvent(runner::TaskFailed{action.attempt, plan_.stages[action.task.stage].root, damage->error, false,
                                            damage->names});
      }
    }
    if (!status.ok()) return FailState(action.attempt, action.task, status);
    SetStateProblem("");
    std::uint64_t bytes = 0;
    for (const StateFile& file : action.files) bytes += file.bytes;
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
    log::Info("state restored", {{"stage", action.task.stage},
                                 {"partition", action.task.partition},
                                 {"files", action.files.size()},
                                 {"bytes", bytes},
                                 {"ms", static_cast<std::int64_t>(took.count())}});
    PostEvent(runner::StateRestored{action.attempt});
  });
}

// The job waits for its store, for as long as it takes, and says so.
void Runner::RestoreLater(const runner::RestoreState& action, const absl::Status& why) {
  log::Error("state not restored yet",
             {{"stage", action.task.stage}, {"partition", action.task.partition}, {"error", Message(why)}});
  SetStateProblem(Message(why));
  loop_.Post([this, action] {
    loop_.PostAt(loop_.now_us() + kRestoreRetry, [this, action] {
      const auto wanted = restoring_.find(action.task);
      if (wanted != restoring_.end() && wanted->second == action.attempt) Do(action);
    });
  });
}

void Runner::Do(const runner::TakeState& action) {
  strands_->Post(action.task, [this, action] {
    auto snapshot = states_->BeginSnapshot(action.task, action.batch);
    if (!snapshot.ok()) return FailState(action.attempt, action.task, snapshot.status());
    PostEvent(runner::StateTaken{action.attempt});
    TakeMore(action, *snapshot);
  });
}

// The next batch may be waiting: it comes after this piece, and the rest after it.
void Runner::TakeMore(const runner::TakeState& action, const std::shared_ptr<StateSnapshot>& snapshot) {
  const absl::StatusOr<bool> more = states_->TakeMore(*snapshot);
  if (absl::IsNotFound(more.status())) return;  // the state is gone
  if (!more.ok()) return FailState(action.attempt, action.task, more.status());
  if (!*more) return saver_->Post([this, action, snapshot] { SaveState(action, snapshot); });
  loop_.Post([this, action, snapshot] {
    strands_->Post(action.task, [this, action, snapshot] { TakeMore(action, snapshot); });
  });
}

// What was taken out of the state exists only in the snapshot: it is written again and again until it is on disk, or
// the partition is no longer ours.
void Runner::SaveState(const runner::TakeState& action, const std::shared_ptr<StateSnapshot>& snapshot) {
  auto chain = states_->Save(*snapshot);
  if (chain.ok()) {
    SetStateProblem("");
    return PostEvent(runner::StateSaved{action.attempt, *std::move(chain)});
  }
  if (absl::IsFailedPrecondition(chain.status())) return;
  if (absl::IsDataLoss(chain.status()) || absl::IsNotFound(chain.status())) {
    if (absl::StatusOr<Damage> damage = FindDamage(states_->ChainOf(*snapshot)); damage.ok()) {
      if (damage->names.empty()) damage->error = Message(chain.status());  // our own notes of what has changed
      return PostEvent(runner::StateNotSaved{action.attempt, std::move(damage->error), std::move(damage->names)});
    }
  }
  log::Error("checkpoint not written", {{"stage", action.task.stage},
                                        {"partition", action.task.partition},
                                        {"batch", action.batch},
                                        {"error", Message(chain.status())}});
  SetStateProblem(Concat("checkpoint of batch ", action.batch, ": ", Message(chain.status())));
  loop_.Post([this, action, snapshot] {
    loop_.PostAt(loop_.now_us() + kSaveRetry,
                 [this, action, snapshot] { saver_->Post([this, action, snapshot] { SaveState(action, snapshot); }); });
  });
}

void Runner::Do(const runner::DropState& action) {
  restoring_.erase(action.task);
  strands_->Post(action.task, [this, action] { states_->Drop(action.task); });
}

void Runner::Do(const runner::DeleteState& action) {
  if (saver_ == nullptr) return;
  saver_->Post([this, action] {
    if (const absl::Status status = states_->Delete(action.names); !status.ok())
      log::Warn("files of old checkpoints stay", {{"error", Message(status)}});
  });
}

void Runner::Do(const runner::ReportState& action) {
  v1::RunnerMessage message;
  wire::ToProto(action.report, message.mutable_state());
  transport_.Report(std::move(message));
}

void Runner::Do(const runner::KeepBlocksForRecovery& action) {
  workers_->Post([this, through = action.through] { blocks_.KeepOnlyForRecovery(through); });
}

void Runner::SetStateProblem(std::string problem) {
  const std::lock_guard lock(state_problem_mutex_);
  state_problem_ = std::move(problem);
}

void Runner::FillStateStatus(v1::RunnerStatus* status) const {
  if (states_ == nullptr) return;
  const StateStats stats = states_->stats();
  status->set_state_memory_bytes(stats.memory_bytes);
  status->set_state_disk_bytes(stats.disk_bytes);
  const std::lock_guard lock(state_problem_mutex_);
  status->set_state_problem(state_problem_);
}

}  // namespace millrace
