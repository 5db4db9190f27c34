// One batch of a Program, computed task by task on the calling thread, exactly as runners would: which stages run, what
// each task is given and in which order. What comes out are rows and counts; state is read and moved on.
//
// Errors: what the job's code throws, as std::runtime_error with the operator's name and place before it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine.h"
#include "millrace/testing/memory_store.h"

namespace millrace::testing {

// A record of a source, as its connector would give it.
struct TestRecord {
  std::string value = {};
  std::string key = {};
  std::int64_t timestamp_us = 0;
  std::int64_t position = -1;  // -1: its place among all records of its split
  std::vector<std::pair<std::string, std::string>> headers = {};
};
using Splits = std::vector<std::vector<TestRecord>>;

struct Row {
  std::string key;
  std::string value;
  bool has_key = false;
  std::uint32_t partition = 0;
  bool operator==(const Row&) const = default;
  // "key => value", or the value alone.
  std::string Text() const { return has_key ? key + " => " + value : value; }
};

using Rows = std::map<std::uint32_t, std::vector<Row>>;                         // by sink
using Counts = std::map<std::pair<std::uint32_t, std::string>, std::uint64_t>;  // by operator and name
using StageInput = std::map<std::uint32_t, Splits>;                             // by source

// The state of one stage partition.
struct HeldState {
  std::unique_ptr<engine::State> state;
  MemoryStore store;  // on disk: the state itself; in memory: what was last saved
};
using States = std::map<std::pair<std::uint32_t, std::uint32_t>, HeldState>;  // by stage and partition

class BatchRun {
 public:
  BatchRun(const engine::Program& program, std::uint64_t batch, std::int64_t time_us, bool stored, States& states,
           engine::Lookups& lookups)
      : program_(program),
        graph_(program.description()),
        batch_(batch),
        time_us_(time_us),
        stored_(stored),
        states_(states),
        lookups_(lookups) {}

  // `functions`: whether ForEachBatch functions are called.
  void Run(const StageInput& input, bool functions) {
    ran_.assign(graph_.stages.size(), false);
    for (const engine::StageDescription& stage : graph_.stages) RunStage(stage, input);
    if (!functions) return;
    for (const auto& task : tasks_) task->RunFunctions();
  }

  Rows rows;
  Counts counts;

 private:
  struct Task : engine::TaskOutput {
    Task(BatchRun& run, const engine::StageDescription& of, std::uint32_t number)
        : batch(run), stage(of), partition(number) {}

    void Block(std::uint32_t shuffle, std::uint32_t to, std::string data, std::uint64_t records) override {
      if (records > 0) batch.blocks_[{shuffle, to}].push_back(std::move(data));
    }
    void Rows(std::uint32_t sink, std::span<const engine::SinkRow> given) override {
      for (const engine::SinkRow& row : given) {
        batch.rows[sink].push_back({std::string(row.key), std::string(row.value), row.has_key, partition});
      }
    }
    void Count(std::uint32_t op, std::string_view counter, std::uint64_t add) override {
      batch.counts[{op, std::string(counter)}] += add;
    }
    void RunFunctions() {
      for (const std::uint32_t sink : stage.sinks) {
        if (batch.graph_.operators[sink].connector == "function") Guard([&] { task->RunFunction(sink); });
      }
    }
    template <class F>
    void Guard(const F& f) {
      try {
        f();
      } catch (const std::exception& e) {
        const engine::OperatorDescription& op = batch.graph_.operators.at(current);
        throw std::runtime_error(op.name + " at " + op.location + ": " + e.what());
      }
    }

    BatchRun& batch;
    const engine::StageDescription& stage;
    const std::uint32_t partition;
    volatile std::uint32_t current = 0;
    std::unique_ptr<engine::Task> task;
  };

  void RunStage(const engine::StageDescription& stage, const StageInput& input) {
    if (graph_.operators[stage.root].kind == engine::OperatorKind::kSource) {
      const auto splits = input.find(stage.root);
      for (std::uint32_t p = 0; splits != input.end() && p < splits->second.size(); ++p) {
        if (!splits->second[p].empty() || stage.runs_empty) RunSourceTask(stage, p, splits->second[p]);
      }
    } else if (stage.runs_empty || IsReached(stage.root)) {
      for (std::uint32_t p = 0; p < stage.partitions; ++p) {
        Task& task = Begin(stage, p);
        const std::vector<std::string> data = blocks_[{stage.root, p}];
        task.Guard([&] {
          for (const std::string& block : data) task.task->Block(block);
          task.task->Finish();
        });
      }
    }
  }

  bool IsReached(std::uint32_t shuffle) const {
    for (const engine::StageDescription& stage : graph_.stages) {
      for (const std::uint32_t written : stage.shuffles) {
        if (written == shuffle && ran_[stage.id]) return true;
      }
    }
    return false;
  }

  Task& Begin(const engine::StageDescription& stage, std::uint32_t partition) {
    ran_[stage.id] = true;
    Task& task = *tasks_.emplace_back(std::make_unique<Task>(*this, stage, partition));
    engine::TaskContext context;
    context.job = graph_.name;
    context.batch = batch_;
    context.batch_time_us = time_us_;
    context.stage = stage.id;
    context.partition = partition;
    context.fence = 1;
    context.lookups = &lookups_;
    context.current_operator = &task.current;
    if (stage.stateful) context.state = StateOf(stage.id, partition);
    task.current = stage.root;
    task.Guard([&] { task.task = program_.NewTask(context, task); });
    return task;
  }

  engine::State* StateOf(std::uint32_t stage, std::uint32_t partition) {
    HeldState& held = states_[{stage, partition}];
    if (held.state == nullptr) {
      held.state = program_.NewState(stage, partition, stored_ ? &held.store : nullptr);
      held.state->Loaded();
    }
    return held.state.get();
  }

  void RunSourceTask(const engine::StageDescription& stage, std::uint32_t partition,
                     const std::vector<TestRecord>& given) {
    std::vector<std::vector<engine::Header>> headers(given.size());
    std::vector<engine::SourceRecord> records(given.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
      for (const auto& [name, value] : given[i].headers) headers[i].push_back({name, value});
      records[i].key = given[i].key;
      records[i].value = given[i].value;
      records[i].position = given[i].position;
      records[i].timestamp_us = given[i].timestamp_us;
      records[i].headers = headers[i].data();
      records[i].header_count = static_cast<std::uint32_t>(headers[i].size());
      records[i].partition = partition;
    }
    Task& task = Begin(stage, partition);
    const std::span<const engine::SourceRecord> all = records;
    task.Guard([&] {
      for (std::size_t at = 0; at < all.size(); at += engine::kChunkRecords) {
        task.task->Records(all.subspan(at, std::min(engine::kChunkRecords, all.size() - at)));
      }
      task.task->Finish();
    });
  }

  const engine::Program& program_;
  const engine::GraphDescription& graph_;
  const std::uint64_t batch_;
  const std::int64_t time_us_;
  const bool stored_;
  States& states_;
  engine::Lookups& lookups_;
  std::vector<bool> ran_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::string>> blocks_;  // by shuffle and partition
};

}  // namespace millrace::testing
