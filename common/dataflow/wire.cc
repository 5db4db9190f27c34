#include "common/dataflow/wire.h"

#include <algorithm>

#include "common/status.h"

namespace millrace::wire {
namespace {

std::string Describe(const v1::Operator& op) {
  std::string text = op.source().connector();
  const auto& options = op.source().options();
  for (const char* key : {"topics", "brokers", "directory", "host", "port", "rate", "class"}) {
    if (auto it = options.find(key); it != options.end()) text += Concat(" ", key, "=", it->second);
  }
  return text;
}

// Where receivers had best run: options "node.NAME", where NAME is the split's.
std::map<std::string, std::string> Nodes(const v1::Operator& op) {
  std::map<std::string, std::string> nodes;
  for (const auto& [name, value] : op.source().options()) {
    if (name.starts_with("node.")) nodes[name.substr(5)] = value;
  }
  return nodes;
}

absl::Status CheckOperators(const v1::Plan& plan) {
  for (int i = 0; i < plan.operators_size(); ++i) {
    const v1::Operator& op = plan.operators(i);
    if (op.id() != static_cast<std::uint32_t>(i)) return InvalidArgument("plan: operator ", i, " has id ", op.id());
    for (const std::uint32_t input : op.inputs()) {
      if (input >= op.id())
        return InvalidArgument("plan: operator ", op.id(), " reads operator ", input, ", which is not before it");
    }
    const std::uint32_t n = op.shuffle().partitions();
    if (op.kind() == v1::OPERATOR_KIND_SHUFFLE && (n < 1 || n > 65536)) {
      return InvalidArgument("plan: ", op.name(), " at ", op.location(), " has ", n,
                             " partitions; 1 to 65536 are possible");
    }
  }
  return absl::OkStatus();
}

bool WritesReplicated(const v1::Plan& plan, const StagePlan& stage) {
  return std::ranges::any_of(stage.shuffles, [&](std::uint32_t op) {
    return op < static_cast<std::uint32_t>(plan.operators_size()) &&
           plan.operators(static_cast<int>(op)).shuffle().replicated();
  });
}

absl::StatusOr<StagePlan> ReadStage(const v1::Plan& plan, int i, const JobPlan& before) {
  const v1::Stage& in = plan.stages(i);
  if (in.id() != static_cast<std::uint32_t>(i)) return InvalidArgument("plan: stage ", i, " has id ", in.id());
  if (in.root() >= static_cast<std::uint32_t>(plan.operators_size()))
    return InvalidArgument("plan: stage ", i, " has no root");
  const v1::Operator& root = plan.operators(static_cast<int>(in.root()));
  StagePlan stage;
  stage.id = in.id();
  stage.root = in.root();
  stage.reads_source = root.kind() == v1::OPERATOR_KIND_SOURCE;
  stage.runs_empty = in.runs_empty();
  stage.stateful = in.stateful();
  stage.shuffles.assign(in.shuffles().begin(), in.shuffles().end());
  stage.sinks.assign(in.sinks().begin(), in.sinks().end());
  // What a sink or a state needs of a task no copy of its blocks can give.
  stage.replicated = stage.sinks.empty() && !stage.stateful && WritesReplicated(plan, stage);
  if (stage.reads_source) return stage;
  if (root.kind() != v1::OPERATOR_KIND_SHUFFLE) return InvalidArgument("plan: stage ", i, " begins with ", root.name());
  stage.partitions = root.shuffle().partitions();
  for (const StagePlan& earlier : before.stages) {
    if (std::ranges::find(earlier.shuffles, stage.root) != earlier.shuffles.end()) stage.upstream.push_back(earlier.id);
  }
  if (stage.upstream.empty()) return InvalidArgument("plan: nothing writes the shuffle of stage ", i);
  return stage;
}

}  // namespace

absl::StatusOr<JobPlan> FromProto(const v1::Plan& in) {
  if (in.batch_interval_us() < 1000 || in.batch_interval_us() > 3'600'000'000ULL) {
    return InvalidArgument("plan: batch interval ", in.batch_interval_us(), " us is outside 1 ms to 1 h");
  }
  MR_RETURN_IF_ERROR(CheckOperators(in));
  JobPlan plan;
  plan.name = in.name();
  plan.batch_interval_us = static_cast<std::int64_t>(in.batch_interval_us());
  plan.fingerprint = in.fingerprint();
  plan.checkpoint_interval_us = static_cast<std::int64_t>(in.checkpoint_interval_us());
  for (const v1::Operator& op : in.operators()) {
    plan.operator_labels.push_back(
        Concat(op.name(), op.uid().empty() ? "" : " '" + op.uid() + "'", " at ", op.location()));
    if (op.kind() != v1::OPERATOR_KIND_SOURCE) continue;
    plan.sources.push_back({op.id(), op.source().connector(), Describe(op), op.source().bounded(),
                            op.source().replayable(), op.source().receiver(), Nodes(op)});
  }
  bool has_sink = false;
  for (int i = 0; i < in.stages_size(); ++i) {
    MR_ASSIGN_OR_RETURN(StagePlan stage, ReadStage(in, i, plan));
    has_sink = has_sink || !stage.sinks.empty();
    if (stage.stateful && (stage.reads_source || !stage.runs_empty || !plan.stateful())) {
      return InvalidArgument("plan: stage ", i,
                             " keeps state, but reads a source, does not run in every batch, or is never "
                             "checkpointed");
    }
    plan.stages.push_back(std::move(stage));
  }
  MarkKeptStages(plan);
  std::erase_if(plan.sources, [&](const SourcePlan& s) { return plan.StageOfSource(s.op) == nullptr; });
  if (!has_sink)
    return InvalidArgument("plan: the job has no output; end a stream with Print, ForEachBatch, ToKafka or ToFiles");
  if (plan.sources.empty()) return InvalidArgument("plan: no source reaches an output");
  return plan;
}

namespace {

void WriteChain(TaskKey task, const StateChain& files, v1::StateChain* out) {
  out->mutable_task()->set_stage(task.stage);
  out->mutable_task()->set_partition(task.partition);
  for (const StateFile& file : files) {
    auto* f = out->add_files();
    f->set_name(file.name);
    f->set_bytes(file.bytes);
    f->set_entries(file.entries);
    f->set_base(file.base);
  }
}

StateChains ReadChains(const google::protobuf::RepeatedPtrField<v1::StateChain>& in) {
  StateChains chains;
  for (const v1::StateChain& chain : in) {
    StateChain& files = chains[{chain.task().stage(), chain.task().partition()}];
    for (const auto& file : chain.files()) files.push_back({file.name(), file.bytes(), file.entries(), file.base()});
  }
  return chains;
}

}  // namespace

void ToProto(const Holding& holding, v1::Holding* out) {
  out->set_route_version(holding.route_version);
  out->set_committed(holding.committed);
  out->set_newest_go(holding.newest_go);
  out->set_newest_go_hash(holding.newest_go_hash);
  out->set_let_go(holding.let_go);
  for (const SplitKey& key : holding.splits) {
    auto* split = out->add_splits();
    split->set_source(key.source);
    split->set_split(key.split);
  }
  for (const TaskKey& key : holding.partitions) {
    auto* task = out->add_partitions();
    task->set_stage(key.stage);
    task->set_partition(key.partition);
  }
  out->mutable_peers()->Assign(holding.peers.begin(), holding.peers.end());
}

Holding FromProto(const v1::Holding& in) {
  Holding holding{in.route_version(), in.committed(), in.newest_go(), in.newest_go_hash(), {}, {}, {}, in.let_go()};
  for (const auto& split : in.splits()) holding.splits.push_back({split.source(), split.split()});
  for (const auto& task : in.partitions()) holding.partitions.push_back({task.stage(), task.partition()});
  holding.peers.assign(in.peers().begin(), in.peers().end());
  return holding;
}

void ToProto(const Route& route, v1::Route* out) {
  out->set_version(route.version);
  out->set_checkpoint(route.checkpoint);
  for (const auto& [task, files] : route.state) WriteChain(task, files, out->add_state());
  for (const Peer& peer : route.peers) {
    auto* p = out->add_peers();
    p->set_runner_id(peer.runner);
    p->set_block_address(peer.block_address);
  }
  for (const SplitOwner& owner : route.splits) {
    auto* s = out->add_splits();
    s->set_source(owner.key.source);
    s->set_split(owner.key.split);
    s->set_peer(owner.peer);
    s->set_ordinal(owner.ordinal);
  }
  for (const PartitionOwner& owner : route.partitions) {
    auto* p = out->add_partitions();
    p->set_stage(owner.key.stage);
    p->set_partition(owner.key.partition);
    p->set_peer(owner.peer);
  }
}

absl::StatusOr<Route> FromProto(const v1::Route& in) {
  Route route;
  route.version = in.version();
  route.checkpoint = in.checkpoint();
  route.state = ReadChains(in.state());
  for (const auto& p : in.peers()) route.peers.push_back({p.runner_id(), p.block_address()});
  const auto valid = [&](std::uint32_t peer) { return peer < route.peers.size(); };
  for (const auto& s : in.splits()) {
    if (!valid(s.peer())) return InvalidArgument("route ", in.version(), ": split ", s.split(), " has no owner");
    route.splits.push_back({{s.source(), s.split()}, s.ordinal(), s.peer()});
  }
  for (const auto& p : in.partitions()) {
    if (!valid(p.peer()))
      return InvalidArgument("route ", in.version(), ": partition ", p.partition(), " has no owner");
    route.partitions.push_back({{p.stage(), p.partition()}, p.peer()});
  }
  return route;
}

void ToProto(const Range& range, v1::Range* out) {
  out->set_source(range.key.source);
  out->set_split(range.key.split);
  out->set_start(range.start);
  out->set_end(range.end);
  out->set_records(range.records);
  out->set_finished(range.finished);
  out->set_ordinal(range.ordinal);
}

Range FromProto(const v1::Range& in) {
  return {{in.source(), in.split()}, in.ordinal(), in.start(), in.end(), in.records(), in.finished()};
}

void ToProto(const BatchWork& work, v1::BatchWork* out) {
  out->set_route_version(work.route_version);
  out->set_committed(work.committed);
  if (work.checkpointed) out->set_checkpointed(*work.checkpointed);
  out->set_checkpoint(work.checkpoint);
  out->mutable_garbage()->Assign(work.garbage.begin(), work.garbage.end());
  for (const Go& go : work.go) {
    auto* g = out->add_go();
    g->set_batch(go.batch);
    g->set_batch_time_us(go.batch_time_us);
    g->set_ranges_hash(go.ranges_hash);
    for (const Range& range : go.ranges) ToProto(range, g->add_ranges());
  }
  if (work.cut.batch == 0) return;
  auto* c = out->mutable_cut();
  c->set_batch(work.cut.batch);
  c->set_batch_time_us(work.cut.batch_time_us);
  c->set_after_us(static_cast<std::uint64_t>(std::max<std::int64_t>(0, work.cut.after_us)));
  for (const CutSplit& split : work.cut.splits) {
    auto* s = c->add_splits();
    s->set_source(split.key.source);
    s->set_split(split.key.split);
    s->set_ordinal(split.ordinal);
    s->set_start(split.start);
    s->set_max_records(split.max_records);
    s->set_drain(split.drain);
  }
}

BatchWork FromProto(const v1::BatchWork& in) {
  BatchWork work;
  work.route_version = in.route_version();
  work.committed = in.committed();
  if (in.has_checkpointed()) work.checkpointed = in.checkpointed();
  work.checkpoint = in.checkpoint();
  work.garbage.assign(in.garbage().begin(), in.garbage().end());
  for (const auto& g : in.go()) {
    Go go{g.batch(), g.batch_time_us(), {}, g.ranges_hash()};
    for (const auto& range : g.ranges()) go.ranges.push_back(FromProto(range));
    work.go.push_back(std::move(go));
  }
  if (!in.has_cut()) return work;
  work.cut.batch = in.cut().batch();
  work.cut.batch_time_us = in.cut().batch_time_us();
  work.cut.after_us = static_cast<std::int64_t>(in.cut().after_us());
  for (const auto& s : in.cut().splits()) {
    work.cut.splits.push_back({{s.source(), s.split()}, s.ordinal(), s.start(), s.max_records(), s.drain()});
  }
  return work;
}

void ToProto(const RangeReport& report, v1::RangeReport* out) {
  out->set_batch(report.batch);
  for (const Range& range : report.ranges) ToProto(range, out->add_ranges());
}

RangeReport FromProto(const v1::RangeReport& in) {
  RangeReport report{in.batch(), {}};
  for (const auto& range : in.ranges()) report.ranges.push_back(FromProto(range));
  return report;
}

void ToProto(const BatchDone& done, v1::BatchDone* out) {
  out->set_batch(done.batch);
  out->set_lost_records(done.lost_records);
  for (const TaskKey& task : done.tasks) {
    auto* t = out->add_tasks();
    t->set_stage(task.stage);
    t->set_partition(task.partition);
  }
  for (const auto& [task, counts] : done.counts) {
    auto* t = out->add_counts();
    t->mutable_task()->set_stage(task.stage);
    t->mutable_task()->set_partition(task.partition);
    for (const auto& [counter, value] : counts) {
      auto* c = t->add_counts();
      c->set_operator_id(counter.first);
      c->set_name(counter.second);
      c->set_value(value);
    }
  }
}

BatchDone FromProto(const v1::BatchDone& in) {
  BatchDone done{in.batch(), {}, in.lost_records(), {}};
  for (const auto& task : in.counts()) {
    Counts& counts = done.counts[{task.task().stage(), task.task().partition()}];
    for (const auto& c : task.counts()) counts[{c.operator_id(), c.name()}] = c.value();
  }
  for (const auto& task : in.tasks()) done.tasks.push_back({task.stage(), task.partition()});
  return done;
}

void ToProto(const StateReport& report, v1::StateReport* out) {
  out->set_batch(report.batch);
  out->set_version(report.version);
  for (const auto& [task, files] : report.chains) WriteChain(task, files, out->add_chains());
}

StateReport FromProto(const v1::StateReport& in) { return {in.batch(), ReadChains(in.chains()), in.version()}; }

void ToProto(const TaskFailure& failure, v1::TaskFailure* out) {
  out->set_batch(failure.batch);
  out->mutable_task()->set_stage(failure.task.stage);
  out->mutable_task()->set_partition(failure.task.partition);
  out->set_version(failure.version);
  out->set_operator_id(failure.op);
  out->set_error(failure.error);
  out->set_permanent(failure.permanent);
  for (const std::string& name : failure.damaged) out->add_damaged_files(name);
}

TaskFailure FromProto(const v1::TaskFailure& in) {
  return {in.batch(),
          {in.task().stage(), in.task().partition()},
          in.version(),
          in.operator_id(),
          in.error(),
          in.permanent(),
          {in.damaged_files().begin(), in.damaged_files().end()}};
}

void ToProto(const SplitReport& report, v1::SplitReport* out) {
  out->set_source(report.source);
  out->set_problem(report.problem);
  out->set_permanent(report.permanent);
  out->set_complete(report.complete);
  for (const NewSplit& split : report.splits) {
    auto* s = out->add_splits();
    s->set_split(split.split);
    s->set_start(split.start);
  }
}

SplitReport FromProto(const v1::SplitReport& in) {
  SplitReport report{in.source(), {}, in.problem(), in.permanent(), in.complete()};
  for (const auto& s : in.splits()) report.splits.push_back({s.split(), s.start()});
  return report;
}

// ---- against the plan ----

absl::Status Check(const Route& route, const JobPlan& plan) {
  for (const SplitOwner& owner : route.splits) {
    if (plan.StageOfSource(owner.key.source) == nullptr)
      return InvalidArgument("route ", route.version, ": there is no source ", owner.key.source);
  }
  const auto known = [&](TaskKey task) {
    return task.stage < plan.stages.size() && !plan.stages[task.stage].reads_source &&
           task.partition < plan.stages[task.stage].partitions;
  };
  for (const PartitionOwner& owner : route.partitions) {
    if (!known(owner.key))
      return InvalidArgument("route ", route.version, ": there is no partition ", owner.key.partition, " of stage ",
                             owner.key.stage);
  }
  for (const auto& [task, chain] : route.state) {
    if (!known(task))
      return InvalidArgument("route ", route.version, ": state of stage ", task.stage, ", which is none");
  }
  return absl::OkStatus();
}

absl::Status Check(const BatchWork& work, const JobPlan& plan) {
  for (const Go& go : work.go) {
    for (const Range& range : go.ranges) {
      if (plan.StageOfSource(range.key.source) == nullptr)
        return InvalidArgument("Go of batch ", go.batch, ": there is no source ", range.key.source);
    }
    if (RangesHash(go.ranges) != go.ranges_hash)
      return InvalidArgument("Go of batch ", go.batch, ": its ranges are not those of its hash");
  }
  for (const CutSplit& split : work.cut.splits) {
    if (plan.StageOfSource(split.key.source) == nullptr)
      return InvalidArgument("cut of batch ", work.cut.batch, ": there is no source ", split.key.source);
  }
  return absl::OkStatus();
}

}  // namespace millrace::wire
