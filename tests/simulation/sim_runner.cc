#include "tests/simulation/sim_runner.h"

#include <algorithm>
#include <set>

#include "common/status.h"

namespace millrace::simulation {
namespace {

std::string Name(const runner::TaskRef& ref) {
  return Concat("stage ", ref.task.stage, " partition ", ref.task.partition, " batch ", ref.batch, " attempt ",
                ref.attempt);
}

}  // namespace

SimRunner::SimRunner(RunnerWorld& world, std::string id, std::string executor, std::uint64_t epoch)
    : world_(world), id_(std::move(id)), executor_(std::move(executor)), epoch_(epoch), core_(world.plan(), id_) {}

void SimRunner::Take(const runner::Event& event) {
  std::vector<runner::Action> actions;
  core_.Step(event, &actions);
  for (const runner::Action& action : actions) {
    std::visit([this](const auto& a) { Do(a); }, action);
  }
}

bool SimRunner::Follow(std::uint64_t epoch) {
  if (epoch < epoch_) return false;
  if (std::exchange(epoch_, epoch) < epoch) {
    before_ = {newest_attempt_, core_.floor()};
    world_.Saw("runner with a second driver");
    listed_sources_.clear();
    if (world_.mutation() != Mutation::kOldTerm) Take(runner::NewTerm{});
  }
  return true;
}

void SimRunner::After(std::int64_t delay, std::function<void(SimRunner&)> what) {
  world_.clock().In(delay, [self = weak_from_this(), what = std::move(what)] {
    if (const auto runner = self.lock()) runner->Deliver(what);
  });
}

void SimRunner::Deliver(std::function<void(SimRunner&)> what) {
  const std::shared_ptr<SimRunner> self = shared_from_this();  // it may be killed by what it does
  if (world_.clock().now() < frozen_until_ || !frozen_.empty()) {
    frozen_.push_back(std::move(what));
  } else {
    what(*self);
  }
}

void SimRunner::Freeze(std::int64_t duration) {
  frozen_until_ = std::max(frozen_until_, world_.clock().now() + duration);
  world_.clock().At(frozen_until_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    while (self && self->world_.clock().now() >= self->frozen_until_ && !self->frozen_.empty()) {
      const auto what = std::move(self->frozen_.front());
      self->frozen_.pop_front();
      what(*self);
    }
  });
}

std::int64_t SimRunner::WorkTime() {
  Random& random = world_.random();
  return random.Chance(0.02) ? random.Between(20'000, 200'000) : random.Between(50, 5'000);
}

void SimRunner::Fail(runner::AttemptId attempt, std::string error) {
  if (world_.tracing()) world_.Say(id_, Concat("attempt ", attempt, " fails: ", error));
  world_.Saw("failed attempt");
  Take(runner::TaskFailed{attempt, 0, std::move(error), false});
}

// ---- sources ----

void SimRunner::Do(const runner::ArmCut& action) {
  After(action.after_us, [batch = action.batch](SimRunner& r) { r.Take(runner::CutDue{batch}); });
}

void SimRunner::Do(const runner::ForgetRecords& action) { forgotten_[action.split] = IndexOf(action.end); }

void SimRunner::CheckHeld(const SplitKey& split, const std::string& start) const {
  const auto forgotten = forgotten_.find(split);
  if (forgotten != forgotten_.end() && IndexOf(start) < forgotten->second)
    throw Violation{
        Concat(id_, " reads ", split.split, " from ", start, ", and has let go of all before ", forgotten->second)};
}

void SimRunner::Do(const runner::CloseRange& action) {
  CheckHeld(action.split, action.start);
  if (Fails()) return After(WorkTime(), [a = action.ref.attempt](SimRunner& r) { r.Fail(a, "the reader fails"); });
  After(world_.random().Between(10, 2'000), [action](SimRunner& r) {
    const std::uint64_t start = IndexOf(action.start);
    const auto [high, complete] = r.world_.Grown(action.split);
    const std::uint64_t end = std::clamp(high, start, start + 40);
    const Range range{action.split, action.ref.task.partition, action.start, Concat(end),
                      end - start,  complete && end == high};
    if (r.world_.tracing())
      r.world_.Say(r.id_, Concat(Name(action.ref), " closes ", action.split.split, " [", start, ", ", end, ")"));
    r.After(r.WorkTime(), [action, range, start, end, fails = r.Fails()](SimRunner& r2) {
      if (fails) return r2.Fail(action.ref.attempt, "mapping fails");
      r2.Finish(action.ref, RecordsOf(action.split, start, end), RangeHash(range));
    });
    r.Take(runner::RangeClosed{action.ref.attempt, range.end, range.records, range.finished});
  });
}

void SimRunner::Do(const runner::ReadRange& action) {
  CheckHeld(action.range.key, action.range.start);
  After(WorkTime(), [action](SimRunner& r) {
    if (r.Fails()) return r.Fail(action.ref.attempt, "the source does not answer");
    const Range& range = action.range;
    r.world_.Saw("range read again");
    if (r.world_.tracing())
      r.world_.Say(r.id_, Concat(Name(action.ref), " reads [", range.start, ", ", range.end, ") again"));
    Records records = RecordsOf(range.key, IndexOf(range.start), IndexOf(range.end));
    if (r.world_.mutation() == Mutation::kUnstableSource) {
      for (Record& record : records) record = Mix(record);
    }
    r.Finish(action.ref, records, RangeHash(range));
  });
}

void SimRunner::Enumerate(const std::vector<std::uint32_t>& sources) {
  listed_sources_ = sources;
  ListNext(++listing_term_);
}

void SimRunner::ListNext(std::uint64_t term) {
  After(world_.random().Between(200, 20'000), [term](SimRunner& r) {
    if (r.listing_term_ != term) return;
    for (const std::uint32_t source : r.listed_sources_)
      r.world_.ToDriver(r.id_, SplitsReported{r.id_, r.world_.List(source)});
    r.After(r.world_.random().Between(20'000, 100'000), [term](SimRunner& r2) { r2.ListNext(term); });
  });
}

// ---- computing ----

void SimRunner::Do(const runner::RunReduce& action) {
  newest_attempt_ = action.ref.attempt;
  const auto state = states_.find(action.ref.task);
  const std::uint64_t life = state == states_.end() ? 0 : state->second.life;
  After(WorkTime(), [action, life](SimRunner& r) {
    const auto now = r.states_.find(action.ref.task);
    if ((now == r.states_.end() ? 0 : now->second.life) != life) return r.Fail(action.ref.attempt, "its state is gone");
    if (r.Fails()) {
      if (life != 0) now->second.value = Mix(now->second.value);  // half changed
      return r.Fail(action.ref.attempt, "reducing fails");
    }
    r.Reduce(action);
  });
}

Records SimRunner::Compute(const runner::TaskRef& ref, const Records& input) {
  const StagePlan& stage = world_.plan().stages[ref.task.stage];
  if (!stage.stateful) return Transform(stage.id, input);
  Record& state = states_.at(ref.task).value;
  state = NextState(state, input);
  return TransformWithState(stage.id, input, state);
}

void SimRunner::Reduce(const runner::RunReduce& action) {
  std::vector<const Stored*> blocks;
  for (const runner::MadeBlock& input : action.inputs) {
    if (Damaged(input)) return Take(runner::BlocksLost{action.ref.attempt, {input}});
    const Stored* block = Find(input.key, input.input_hash);
    if (block == nullptr) {  // only when the batch has been committed meanwhile
      world_.Saw("reduce of a committed batch");
      const bool old = action.ref.attempt <= before_.newest_attempt && action.ref.batch <= before_.floor;
      if (action.ref.batch > core_.floor() && !old)
        throw Violation{Concat(id_, ": ", Name(action.ref), " lacks ", ToString(input.key))};
      return Fail(action.ref.attempt, "its blocks are gone");
    }
    blocks.push_back(block);
  }
  if (world_.mutation() == Mutation::kArrivalOrder) std::ranges::sort(blocks, {}, &Stored::order);
  Records input;
  for (const Stored* block : blocks) input.insert(input.end(), block->records.begin(), block->records.end());
  Finish(action.ref, input, action.input_hash);
}

void SimRunner::Finish(const runner::TaskRef& ref, const Records& input, std::uint64_t input_hash) {
  const StagePlan& stage = world_.plan().stages[ref.task.stage];
  const Records output = Compute(ref, input);
  runner::TaskComputed computed{ref.attempt, {}, 0};
  for (const std::uint32_t shuffle : stage.shuffles) {
    const std::uint32_t partitions = StageOfShuffle(world_.plan(), shuffle)->partitions;
    for (std::uint32_t p = 0; p < partitions; ++p) {
      const BlockKey key{ref.batch, shuffle, stage.id, ref.task.partition, p};
      Put({key, input_hash, PartOf(output, shuffle, p, partitions), epoch_});
      computed.blocks.push_back({key, input_hash});
    }
  }
  if (!stage.sinks.empty()) results_[ref.attempt] = output;
  Take(computed);
}

void SimRunner::Do(const runner::DropTask& action) { results_.erase(action.attempt); }

// ---- sinks ----

void SimRunner::Do(const runner::CommitTask& action) {
  const auto result = results_.find(action.ref.attempt);
  if (result == results_.end())
    throw Violation{Concat(id_, ": ", Name(action.ref), " is to be committed, but was dropped")};
  const bool early = world_.mutation() == Mutation::kEarlyDone;
  if (early) After(10, [a = action.ref.attempt](SimRunner& r) { r.Take(runner::TaskCommitted{a}); });
  After(WorkTime(), [ref = action.ref, output = Summarize(result->second), early](SimRunner& r) {
    if (r.Fails() || !r.OpenWriters(ref)) return early ? void() : r.Fail(ref.attempt, "the sink does not open");
    r.After(r.WorkTime(), [ref, output](SimRunner& r2) { r2.Commit(ref, output); });
  });
}

bool SimRunner::OpenWriters(const runner::TaskRef& ref) {
  const Fence fence{epoch_, ref.version};
  for (const std::uint32_t sink : world_.plan().stages[ref.task.stage].sinks) {
    const SinkKey key{sink, ref.task};
    if (const auto it = writers_.find(key); it != writers_.end() && it->second.fence.version == ref.version) continue;
    const std::optional<std::uint64_t> mark = world_.sinks().Open(key, fence);
    if (!mark) {
      world_.Saw("writer fenced when it opens");
      return false;
    }
    writers_[key] = {fence, *mark};
  }
  return true;
}

void SimRunner::Commit(const runner::TaskRef& ref, const Output& output) {
  const bool early = world_.mutation() == Mutation::kEarlyDone;
  for (const std::uint32_t sink : world_.plan().stages[ref.task.stage].sinks) {
    const SinkKey key{sink, ref.task};
    const auto writer = writers_.find(key);
    bool ok = writer != writers_.end() && writer->second.fence.version == ref.version && !Fails();
    if (ok && (ref.batch > writer->second.mark || world_.mutation() == Mutation::kIgnoreMark)) {
      ok = world_.sinks().Commit(key, writer->second.fence, ref.batch, output);
      if (!ok) world_.Saw("writer fenced when it commits");
      if (ok) writer->second.mark = std::max(writer->second.mark, ref.batch);
      if (world_.tracing())
        world_.Say(id_, Concat(Name(ref), ok ? " is visible in sink " : " is fenced out of sink ", sink));
      ok = ok && !Fails();  // visible, but the answer is lost
    } else if (ok) {
      world_.Saw("output dropped for its mark");
    }
    if (!ok) {
      writers_.erase(key);
      if (!early) Fail(ref.attempt, "the sink fails");
      return;
    }
  }
  if (!early) Take(runner::TaskCommitted{ref.attempt});
}

void SimRunner::Do(const runner::ReleaseSinks& action) {
  std::erase_if(writers_, [&](const auto& entry) { return entry.first.task == action.task; });
}

// ---- blocks ----

void SimRunner::Put(SimBlock block) {
  damaged_.erase({block.key, block.input_hash});
  store_[block.key][block.input_hash] = {std::move(block.records), ++stored_};
}

const SimRunner::Stored* SimRunner::Find(const BlockKey& key, std::uint64_t input_hash) const {
  const auto blocks = store_.find(key);
  if (blocks == store_.end()) return nullptr;
  if (world_.mutation() == Mutation::kAnyBlock) {
    return &std::ranges::max_element(blocks->second, {}, [](const auto& entry) { return entry.second.order; })->second;
  }
  const auto block = blocks->second.find(input_hash);
  return block == blocks->second.end() ? nullptr : &block->second;
}

void SimRunner::TakeBlock(SimBlock block) {
  Follow(block.epoch);
  const runner::BlockReceived received{block.key, block.input_hash};
  if (block.key.batch > core_.floor()) Put(std::move(block));
  if (const auto blocks = store_.find(received.key); blocks != store_.end() && blocks->second.size() > 1)
    world_.Saw("two blocks of one key");
  Take(received);
}

void SimRunner::Do(const runner::PushBlocks& action) {
  for (const runner::MadeBlock& made : action.blocks) {
    if (Damaged(made)) {
      After(10, [made](SimRunner& r) { r.Take(runner::BlocksLost{0, {made}}); });
      continue;
    }
    const Stored* block = Find(made.key, made.input_hash);
    if (block == nullptr) throw Violation{Concat(id_, " is to push ", ToString(made.key), ", which it does not hold")};
    world_.Push(id_, action.runner, {made.key, made.input_hash, block->records, epoch_});
  }
}

void SimRunner::Resend(const std::string& peer, const std::vector<runner::MadeBlock>& blocks) {
  const bool all = std::ranges::all_of(
      blocks, [&](const runner::MadeBlock& block) { return Find(block.key, block.input_hash) != nullptr; });
  world_.Saw("block asked for again");
  all ? Do(runner::PushBlocks{peer, blocks}) : Take(runner::PeerReconnected{peer});
}

// Now and then a block is found damaged when it is read, and is gone.
bool SimRunner::Damaged(const runner::MadeBlock& block) {
  const std::pair id(block.key, block.input_hash);
  if (damaged_.contains(id)) return true;
  const auto blocks = store_.find(block.key);
  if (!world_.random().Chance(world_.task_failure_chance() / 5) || blocks == store_.end() ||
      blocks->second.erase(block.input_hash) == 0)
    return false;
  world_.Saw("damaged block");
  if (world_.tracing()) world_.Say(id_, Concat("finds ", ToString(block.key), " damaged"));
  if (blocks->second.empty()) store_.erase(blocks);
  damaged_.insert(id);
  return true;
}

void SimRunner::Do(const runner::DropBlocks& action) {
  const std::uint64_t through = action.through + (world_.mutation() == Mutation::kEarlyDrop ? 2 : 0);
  while (!store_.empty() && store_.begin()->first.batch <= through) store_.erase(store_.begin());
  while (!damaged_.empty() && damaged_.begin()->first.batch <= action.through) damaged_.erase(damaged_.begin());
}

// ---- state ----

void SimRunner::Do(const runner::RestoreState& action) {
  const std::uint64_t life = ++lives_;
  if (const auto half = states_.find(action.task); half != states_.end() && world_.mutation() == Mutation::kHalfState) {
    half->second.life = life;
    return Take(runner::StateRestored{action.attempt});
  }
  states_[action.task] = {0, life, {}};
  After(WorkTime(), [action, life](SimRunner& r) { r.Restore(action, life); });
}

void SimRunner::Restore(const runner::RestoreState& action, std::uint64_t life) {
  State& state = states_[action.task];
  if (state.life != life) return Fail(action.attempt, "it is not wanted any more");
  if (Fails()) return Fail(action.attempt, "the checkpoint store does not answer");
  for (const StateFile& file : action.files) {
    const auto content = world_.checkpoint_store().find(file.name);
    const bool there = content != world_.checkpoint_store().end() && content->second.task == action.task;
    if (!there && !world_.IsUp(id_)) return Damaged(action, file.name);  // told so before it was replaced
    if (!there) throw Violation{Concat(id_, " cannot restore from ", file.name)};
    if (world_.IsDamaged(file.name)) return Damaged(action, file.name);
    state.value = content->second.state;
  }
  state.chain = action.files;
  if (!action.files.empty()) world_.Saw("restored state");
  if (world_.tracing())
    world_.Say(id_, Concat("stage ", action.task.stage, " partition ", action.task.partition, " is restored"));
  Take(runner::StateRestored{action.attempt});
}

void SimRunner::Damaged(const runner::RestoreState& action, const std::string& file) {
  world_.Saw("damaged checkpoint file");
  if (world_.tracing()) world_.Say(id_, Concat("finds ", file, " damaged"));
  Take(runner::TaskFailed{action.attempt, 0, Concat(file, " is damaged"), false, {file}});
}

void SimRunner::Do(const runner::TakeState& action) {
  const State& state = states_.at(action.task);
  After(WorkTime(), [action, value = state.value, life = state.life](SimRunner& r) {
    const auto now = r.states_.find(action.task);
    if (now == r.states_.end() || now->second.life != life || r.Fails()) return r.Fail(action.attempt, "no snapshot");
    r.Take(runner::StateTaken{action.attempt});
    const std::int64_t write = r.world_.random().Chance(0.05) ? 500'000 : 20'000;
    r.After(r.world_.random().Between(100, write),
            [action, value, life](SimRunner& r2) { r2.Save(action.attempt, action.task, value, life); });
  });
}

void SimRunner::Save(runner::AttemptId attempt, TaskKey task, Record value, std::uint64_t life) {
  const std::string name = Concat("j-sim/", id_, "-", ++saved_);
  world_.checkpoint_store()[name] = {task, value};
  const auto now = states_.find(task);
  if (now == states_.end() || now->second.life != life) return;
  StateChain& chain = now->second.chain;
  if (chain.size() == 3) {  // merged into one
    if (world_.IsDamaged(chain.front().name)) {
      world_.Saw("damaged file to be merged");
      return Take(runner::StateNotSaved{attempt, Concat(chain.front().name, " is damaged"), {chain.front().name}});
    }
    chain.clear();
  }
  if (world_.mutation() == Mutation::kEarlyGarbage && !chain.empty())
    world_.checkpoint_store().erase(chain.front().name);
  chain.push_back({name, 8, 1, chain.empty()});
  Take(runner::StateSaved{attempt, chain});
}

void SimRunner::Do(const runner::DropState& action) {
  if (world_.mutation() != Mutation::kHalfState) states_.erase(action.task);
}

void SimRunner::Do(const runner::DeleteState& action) {
  for (const std::string& name : action.names) {
    world_.Saw("deleted checkpoint file");
    world_.checkpoint_store().erase(name);
  }
}

void SimRunner::Do(const runner::ReportState& action) { world_.ToDriver(id_, StateReported{id_, action.report}); }

// ---- reports ----

void SimRunner::Do(const runner::ReportRanges& action) { world_.ToDriver(id_, RangesReported{id_, action.report}); }
void SimRunner::Do(const runner::ReportDone& action) { world_.ToDriver(id_, DoneReported{id_, action.done}); }
void SimRunner::Do(const runner::ReportFailure& action) { world_.ToDriver(id_, FailureReported{id_, action.failure}); }

void SimRunner::CheckBounds() const {
  constexpr std::size_t kPartitionsMax = 20;
  const std::size_t batches =
      world_.pending_batches_max() + world_.retained_batches_max() + 16;  // what is under way to it may be late
  if (core_.tasks() > kPartitionsMax * batches) throw Violation{Concat(id_, " keeps ", core_.tasks(), " tasks")};
  if (results_.size() > kPartitionsMax * batches) throw Violation{Concat(id_, " keeps ", results_.size(), " results")};
  if (writers_.size() > 2 * kPartitionsMax) throw Violation{Concat(id_, " keeps ", writers_.size(), " writers")};
  std::set<std::uint64_t> stored;
  for (const auto& [key, blocks] : store_) stored.insert(key.batch);
  if (stored.size() > batches) throw Violation{Concat(id_, " keeps blocks of ", stored.size(), " batches")};
}

}  // namespace millrace::simulation
