// A runner small enough for a test: it drives a Program through every stage of a batch, one task after the other, and
// checks the library's side of engine.h on the way (each block exactly once, chunks within bounds, nothing after the
// end).
//
//   Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Print(); });
//   job.Feed(0, {{"a", "b"}, {"c"}});      // the source with id 0: two splits
//   job.RunBatch();
//   job.texts(1)                           // the rows of the sink with id 1, as text
//
// The memory that a task's input lies in is given back as soon as its Finish has returned: AddressSanitizer sees who
// keeps a view.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/millrace.h"
#include "tests/sdk/map_store.h"

namespace millrace {

struct HarnessRow {
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;
  bool has_key = false;
  std::string key;
  std::string value;
};

struct HarnessBlock {
  std::string data;
  std::uint64_t records = 0;
};

class Harness {
 public:
  using Body = std::function<void(JobContext&)>;
  using Split = std::vector<std::string>;

  explicit Harness(const Body& body, const engine::Options& arguments = {}) {
    JobContext context("test", {"", arguments, 100'000});
    body(context);
    program_ = context.Build();
  }

  const engine::GraphDescription& graph() const { return program_->description(); }
  const engine::Program& program() const { return *program_; }
  std::uint64_t batch = 1;
  std::size_t chunk = engine::kChunkRecords;  // how many records a task is given at once
  std::int64_t time_us = 1'700'000'000'000'000;
  engine::Lookups* lookups = nullptr;
  bool stored = false;  // state lives in a StateStore, not in memory; to be set before the first batch

  // Ends all states and makes them again from what they have saved, as after a loss of the runner.
  void Restore() {
    for (auto& [at, held] : states_) {
      if (!stored) Save(held);
      held.state = program_->NewState(at.first, at.second, stored ? &held.store : nullptr);
      for (const auto& [key, value] : held.saved) held.state->Load(key, value);
      held.state->Loaded();
    }
  }

  // The entries of all states.
  std::map<std::string, std::string> StateEntries() {
    std::map<std::string, std::string> all;
    for (auto& [at, held] : states_) {
      if (!stored) Save(held);
      for (const auto& entry : stored ? held.store.entries : held.saved) EXPECT_TRUE(all.insert(entry).second);
    }
    return all;
  }

  // What the splits of a source hold in the next batches.
  void Feed(std::uint32_t source, std::vector<Split> splits) { input_[source] = std::move(splits); }

  void RunBatch() {
    rows_.clear();
    blocks_.clear();
    ran_.assign(graph().stages.size(), false);
    std::vector<std::pair<std::uint32_t, std::unique_ptr<Running>>> functions;
    for (const engine::StageDescription& stage : graph().stages) RunStage(stage, functions);
    for (auto& [sink, running] : functions) running->task->RunFunction(sink);
    ++batch;
  }

  bool ran(std::uint32_t stage) const { return ran_[stage]; }
  const std::vector<HarnessRow>& rows(std::uint32_t sink) { return rows_[sink]; }
  std::vector<std::string> texts(std::uint32_t sink) {
    std::vector<std::string> texts;
    for (const HarnessRow& row : rows_[sink]) texts.push_back(row.has_key ? row.key + " => " + row.value : row.value);
    return texts;
  }
  std::vector<std::string> sorted_texts(std::uint32_t sink) {
    std::vector<std::string> sorted = texts(sink);
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }
  // What an operator has counted under a name, in all batches.
  std::uint64_t count(std::uint32_t op, const std::string& counter) { return counts_[{op, counter}]; }
  // A block that is cut short anywhere, or has a byte too many, is an error of the stage that reads it.
  void ExpectDamageIsFound(std::uint32_t stage, const std::string& good) {
    struct Nowhere : engine::TaskOutput {
      void Block(std::uint32_t, std::uint32_t, std::string, std::uint64_t) override {}
      void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
      void Rows(std::uint32_t, std::span<const engine::SinkRow>) override {}
    } output;
    engine::TaskContext context;
    context.stage = stage;
    for (std::size_t size = 0; size < good.size(); ++size) {
      // In memory of exactly this size, so that AddressSanitizer sees a read beyond it.
      const std::vector<char> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(program_->NewTask(context, output)->Block({cut.data(), cut.size()}), CodecError);
    }
    EXPECT_THROW(program_->NewTask(context, output)->Block(good + "x"), CodecError);
  }
  // The blocks that went to one partition of a shuffle, in the order in which they are merged.
  const std::vector<HarnessBlock>& blocks(std::uint32_t shuffle, std::uint32_t partition) {
    return blocks_[{shuffle, partition}];
  }

 private:
  // A task and what it writes to.
  struct Running : engine::TaskOutput {
    Harness* harness = nullptr;
    const engine::StageDescription* stage = nullptr;
    std::uint32_t partition = 0;
    volatile std::uint32_t current = 0;
    bool finished = false;
    std::set<std::pair<std::uint32_t, std::uint32_t>> written;
    std::unique_ptr<engine::Task> task;

    void Block(std::uint32_t shuffle, std::uint32_t to, std::string data, std::uint64_t records) override {
      EXPECT_FALSE(finished);
      EXPECT_TRUE(written.emplace(shuffle, to).second) << "block " << shuffle << "/" << to << " given twice";
      harness->blocks_[{shuffle, to}].push_back({std::move(data), records});
    }
    void Count(std::uint32_t op, std::string_view counter, std::uint64_t add) override {
      harness->counts_[{op, std::string(counter)}] += add;
    }
    void Rows(std::uint32_t sink, std::span<const engine::SinkRow> rows) override {
      EXPECT_FALSE(finished);
      EXPECT_FALSE(rows.empty());
      for (const engine::SinkRow& row : rows) {
        harness->rows_[sink].push_back(
            {stage->id, partition, row.has_key, std::string(row.key), std::string(row.value)});
      }
    }
  };
  using Functions = std::vector<std::pair<std::uint32_t, std::unique_ptr<Running>>>;

  // The state of a stage partition, and where it is saved.
  struct HeldState {
    std::unique_ptr<engine::State> state;
    MapStore store;
    std::map<std::string, std::string> saved;  // in memory: what TakeChanges has given
  };

  static void Save(HeldState& held) {
    MapChanges changes(held.saved);
    held.state->TakeChanges(changes);
    while (held.state->TakeMore(10)) {
    }
  }

  void RunStage(const engine::StageDescription& stage, Functions& functions) {
    if (graph().operators[stage.root].kind == engine::OperatorKind::kSource) {
      const std::vector<Split>& splits = input_[stage.root];
      for (std::uint32_t p = 0; p < splits.size(); ++p) {
        if (splits[p].empty() && !stage.runs_empty) continue;
        RunTask(stage, p, functions, [&](engine::Task& task) { FeedRecords(task, splits[p], p, splits.size()); });
      }
    } else if (stage.runs_empty || ReachedBy(stage.root)) {
      for (std::uint32_t p = 0; p < stage.partitions; ++p) {
        RunTask(stage, p, functions, [&](engine::Task& task) {
          std::vector<std::string> data;
          for (const HarnessBlock& block : blocks_[{stage.root, p}]) data.push_back(block.data);
          for (const std::string& one : data) task.Block(one);
          task.Finish();
        });
      }
    }
  }

  bool ReachedBy(std::uint32_t shuffle) const {
    for (const engine::StageDescription& stage : graph().stages) {
      if (ran_[stage.id] && std::ranges::find(stage.shuffles, shuffle) != stage.shuffles.end()) return true;
    }
    return false;
  }

  void RunTask(const engine::StageDescription& stage, std::uint32_t partition, Functions& functions,
               const std::function<void(engine::Task&)>& feed) {
    ran_[stage.id] = true;
    auto running = std::make_unique<Running>();
    running->harness = this;
    running->stage = &stage;
    running->partition = partition;
    engine::TaskContext context;
    context.job = graph().name;
    context.batch = batch;
    context.batch_time_us = time_us;
    context.stage = stage.id;
    context.partition = partition;
    context.fence = 7;
    context.lookups = lookups;
    context.current_operator = &running->current;
    if (stage.stateful) {
      HeldState& held = states_[{stage.id, partition}];
      if (held.state == nullptr) {
        held.state = program_->NewState(stage.id, partition, stored ? &held.store : nullptr);
        held.state->Loaded();
      }
      context.state = held.state.get();
    }
    running->task = program_->NewTask(context, *running);
    feed(*running->task);  // feeds, finishes, and gives the input's memory back
    running->finished = true;
    for (const std::uint32_t shuffle : stage.shuffles) {
      for (std::uint32_t p = 0; p < graph().operators[shuffle].partitions; ++p) {
        EXPECT_TRUE(running->written.contains({shuffle, p})) << "no block " << shuffle << "/" << p;
      }
    }
    for (const std::uint32_t sink : stage.sinks) {
      if (graph().operators[sink].connector == "function") {
        functions.emplace_back(sink, std::move(running));
        break;  // the tests have at most one ForEachBatch in a stage
      }
    }
  }

  // By value: the records' memory is this call's.
  void FeedRecords(engine::Task& task, Split lines, std::uint32_t partition, std::size_t splits) {
    std::vector<engine::SourceRecord> records;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      engine::SourceRecord record;
      record.value = lines[i];
      record.position = static_cast<std::int64_t>(i * splits + partition);
      record.partition = partition;
      records.push_back(record);
    }
    const std::span<const engine::SourceRecord> all = records;
    for (std::size_t at = 0; at < all.size(); at += chunk) {
      task.Records(all.subspan(at, std::min(chunk, all.size() - at)));
    }
    task.Finish();
  }

  std::unique_ptr<engine::Program> program_;
  std::map<std::uint32_t, std::vector<Split>> input_;
  std::vector<bool> ran_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, HeldState> states_;  // by stage and partition
  std::map<std::pair<std::uint32_t, std::string>, std::uint64_t> counts_;
  std::map<std::uint32_t, std::vector<HarnessRow>> rows_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<HarnessBlock>> blocks_;
};

}  // namespace millrace
