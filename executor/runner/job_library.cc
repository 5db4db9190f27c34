#include "executor/runner/job_library.h"

#include <dlfcn.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <exception>

#include "common/status.h"

namespace millrace {
namespace {

v1::OperatorKind Kind(engine::OperatorKind kind) { return static_cast<v1::OperatorKind>(kind); }

void WriteOperator(const engine::OperatorDescription& in, v1::Operator* out) {
  out->set_id(in.id);
  out->set_uid(in.uid);
  out->set_kind(Kind(in.kind));
  out->set_name(in.name);
  for (const std::uint32_t input : in.inputs) out->add_inputs(input);
  out->set_output_type(in.output_type);
  out->set_location(in.location);
  if (in.kind == engine::OperatorKind::kSource) {
    out->mutable_source()->set_connector(in.connector);
    out->mutable_source()->mutable_options()->insert(in.options.begin(), in.options.end());
    out->mutable_source()->set_bounded(in.bounded);
    out->mutable_source()->set_replayable(in.replayable);
    out->mutable_source()->set_receiver(in.receiver);
  } else if (in.kind == engine::OperatorKind::kSink) {
    out->mutable_sink()->set_connector(in.connector);
    out->mutable_sink()->mutable_options()->insert(in.options.begin(), in.options.end());
  } else if (in.kind == engine::OperatorKind::kShuffle) {
    out->mutable_shuffle()->set_partitions(in.partitions);
    out->mutable_shuffle()->set_combine(in.combine);
    out->mutable_shuffle()->set_replicated(in.options.contains("replicated"));
  }
  out->set_period(in.period);
  out->set_window(in.window);
  out->set_side(in.side);
  out->set_bad_records(static_cast<v1::BadRecords>(in.bad_records));
  if (!in.stateful) return;
  out->mutable_state()->set_description(in.state);
  out->mutable_state()->set_key_groups(in.key_groups);
}

void WriteStage(const engine::StageDescription& in, v1::Stage* out) {
  out->set_id(in.id);
  out->set_root(in.root);
  out->set_partitions(in.partitions);
  out->mutable_operators()->Assign(in.operators.begin(), in.operators.end());
  out->mutable_shuffles()->Assign(in.shuffles.begin(), in.shuffles.end());
  out->mutable_sinks()->Assign(in.sinks.begin(), in.sinks.end());
  out->set_runs_empty(in.runs_empty);
  out->set_stateful(in.stateful);
}

// Over a text of our own: protobuf's bytes are not promised to be the same in two processes (maps).
std::uint64_t Fingerprint(const engine::GraphDescription& graph) {
  std::string text = Concat(graph.name, "|", graph.batch_interval_us, "|", graph.checkpoint_interval_us, "|",
                            static_cast<int>(graph.state_backend));
  for (const auto& op : graph.operators) {
    text += Concat("|", op.id, ",", op.uid, ",", static_cast<int>(op.kind), ",", op.name, ",", op.output_type, ",",
                   op.connector, ",", op.partitions, ",", op.combine, ",", op.period, ",", op.window, ",", op.state,
                   ",", op.key_groups, ",", op.side, ",", static_cast<int>(op.bad_records));
    for (const std::uint32_t input : op.inputs) text += Concat("<", input);
    for (const auto& [key, value] : op.options) text += Concat(";", key, "=", value);
  }
  for (const auto& stage : graph.stages) {
    text += Concat("|", stage.id, ",", stage.root, ",", stage.partitions, ",", stage.runs_empty);
    for (const std::uint32_t op : stage.operators) text += Concat("+", op);
  }
  return XXH3_64bits(text.data(), text.size());
}

v1::Plan Describe(const engine::GraphDescription& graph) {
  v1::Plan plan;
  plan.set_name(graph.name);
  plan.set_batch_interval_us(graph.batch_interval_us);
  plan.set_checkpoint_interval_us(graph.checkpoint_interval_us);
  plan.set_remember_us(graph.remember_us);
  plan.set_state_on_disk(graph.state_backend == engine::StateBackend::kRocksDb);
  plan.set_key_groups(graph.key_groups);
  for (const auto& op : graph.operators) WriteOperator(op, plan.add_operators());
  for (const auto& stage : graph.stages) WriteStage(stage, plan.add_stages());
  plan.set_fingerprint(Fingerprint(graph));
  plan.set_sdk_version(std::string(engine::kSdkVersion));
  return plan;
}

}  // namespace

absl::StatusOr<LoadedJob> LoadJob(const std::string& path, const engine::JobParameters& parameters) {
  try {
    void* handle =
        dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // static constructors of the library run here, and may throw
    if (handle == nullptr) return InvalidArgument("the job library does not load: ", dlerror());
    void* symbol = dlsym(handle, engine::kEntryPoint);
    if (symbol == nullptr)
      return InvalidArgument("the library has no MILLRACE_JOB: ", engine::kEntryPoint, " is not in it");
    LoadedJob job;
    job.program = reinterpret_cast<engine::CreateProgram>(symbol)(parameters);
    if (!job.program) return InvalidArgument("the job body made no graph");
    job.plan = Describe(job.program->description());
    return job;
  } catch (const std::exception& e) {
    return InvalidArgument(e.what());
  } catch (...) {
    return InvalidArgument("the job body threw something that is no std::exception");
  }
}

}  // namespace millrace
