// JobTest: a job in one process, under a clock that the test moves. No cluster, no server, no thread: inputs are given
// batch by batch, outputs and state are looked at batch by batch, and a runner can be lost on the way. What runs is the
// very code that runs in a cluster, from the job's body or from its library.
//
//   millrace::testing::JobTest job([](millrace::JobContext& ctx) {
//     ctx.BatchInterval(std::chrono::seconds(1));
//     ctx.TextFiles({.directory = "unused"}).Uid("lines") … .ToFiles({.directory = "unused"}).Uid("counts");
//   });
//   job.Input("lines", {"a b", "b"});
//   job.RunBatch();
//   EXPECT_EQ(job.SortedTexts("counts"), (std::vector<std::string>{"a\t1", "b\t2"}));
//   job.LoseRunner();            // state comes back from the last checkpoint, and the batches since are run again
//
// Sources, operators and sinks are named by uid, by name when only one has it, or by "#id". Connectors are not run: a
// source gives what Input says, LookupCassandra finds what Table says, a sink's rows are what Texts gives, ForEachBatch
// functions are called. One thread.
// Errors: std::invalid_argument for what the test asks wrongly or the planner refuses; std::runtime_error with operator
// and place for what the job's code throws; std::logic_error from LoseRunner when the second run gives other rows.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/context.h"
#include "millrace/engine.h"
#include "millrace/internal/state.h"
#include "millrace/testing/batch_run.h"
#include "millrace/testing/lookup_tables.h"

namespace millrace::testing {

struct JobTestOptions {
  engine::Options arguments = {};
  std::chrono::microseconds batch_interval{0};  // 0: the job's own
  bool stored = false;                          // state goes through a StateStore, as on disk, whatever the job says
  std::uint64_t checkpoint_every = 5;           // batches
  std::chrono::sys_time<std::chrono::microseconds> start{std::chrono::hours(24 * 365 * 55)};  // before the first batch
};

class JobTest {
 public:
  explicit JobTest(const std::function<void(JobContext&)>& body, JobTestOptions options = {})
      : JobTest(Plan(body, options), options) {}

  // The library that would be submitted. It stays loaded.
  static JobTest Load(const std::string& path, const JobTestOptions& options = {}) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::invalid_argument("the job library does not load: " + std::string(dlerror()));
    void* entry = dlsym(library, engine::kEntryPoint);
    if (entry == nullptr) throw std::invalid_argument(path + " has no MILLRACE_JOB");
    return JobTest(reinterpret_cast<engine::CreateProgram>(entry)(Parameters(options)), options);
  }

  const engine::GraphDescription& graph() const { return program_->description(); }
  std::uint64_t batch() const { return batch_; }                                 // the last one that was run; 0: none
  std::chrono::sys_time<std::chrono::microseconds> now() const { return now_; }  // its time

  // What a source gives in the next batch: lines of its first split, or records of several splits (Kafka partitions).
  // Adds to what was given before.
  void Input(std::string_view source, const std::vector<std::string>& lines) {
    std::vector<TestRecord> records;
    for (const std::string& line : lines) records.push_back({.value = line});
    InputSplits(source, Splits{std::move(records)});
  }
  void InputSplits(std::string_view source, Splits splits) {
    const std::uint32_t id = Find(source, engine::OperatorKind::kSource);
    Splits& held = next_[id];
    held.resize(std::max(held.size(), splits.size()));
    for (std::size_t s = 0; s < splits.size(); ++s) {
      for (TestRecord& record : splits[s]) {
        std::int64_t& position = positions_[{id, s}];
        if (record.position < 0) record.position = position;
        position = record.position + 1;
        held[s].push_back(std::move(record));
      }
    }
  }

  // The rows that a LookupCassandra finds from now on, as pairs of key and row. Before its first batch.
  template <class Key, class Row>
  void Table(std::string_view op, const std::vector<std::pair<Key, Row>>& rows) {
    tables_->Set(Find(op, engine::OperatorKind::kNarrow), rows);
  }

  void RunBatch() {
    ++batch_;
    now_ += interval_;
    // A split that was there once is there for good: where empty batches matter, each of its tasks runs.
    StageInput input = std::exchange(next_, {});
    for (auto& [source, splits] : splits_) input[source].resize(std::max(input[source].size(), splits));
    for (const auto& [source, splits] : input) splits_[source] = splits.size();
    history_.push_back({batch_, now_, input, {}});
    BatchRun run(*program_, batch_, now_.time_since_epoch().count(), stored_, states_, *tables_);
    run.Run(input, true);
    for (const auto& [counter, count] : run.counts) counts_[counter] += count;
    history_.back().rows = rows_ = std::move(run.rows);
    if (batch_ % checkpoint_every_ == 0) Checkpoint();
  }
  // As many batches as fit, with what Input has given in the first.
  void Advance(std::chrono::microseconds time) {
    for (auto left = time; left >= interval_; left -= interval_) RunBatch();
  }

  // Rows of a sink in the last batch, in the order of partitions.
  std::vector<Row> Output(std::string_view sink) const {
    const auto rows = rows_.find(Find(sink, engine::OperatorKind::kSink));
    return rows == rows_.end() ? std::vector<Row>{} : rows->second;
  }
  std::vector<std::string> Texts(std::string_view sink) const {
    std::vector<std::string> texts;
    for (const Row& row : Output(sink)) texts.push_back(row.Text());
    return texts;
  }
  std::vector<std::string> SortedTexts(std::string_view sink) const {
    std::vector<std::string> texts = Texts(sink);
    std::sort(texts.begin(), texts.end());
    return texts;
  }

  // What an operator has counted under a name ("bad_records", "late_records") in all batches.
  std::uint64_t Count(std::string_view op, std::string_view counter) const {
    const auto count = counts_.find({Find(op), std::string(counter)});
    return count == counts_.end() ? 0 : count->second;
  }

  // A state of an operator: its table of that name, decoded. UpdateStateByKey and MapWithState call theirs "states"; a
  // ValueState of a Process has the name that it was given.
  template <class K, class V>
  std::map<K, V> State(std::string_view op, std::string_view name) {
    const engine::OperatorDescription& description = graph().operators[Find(op)];
    const std::string uid = detail::StateUid(description);
    const bool idles = description.state.starts_with("MapWithState");  // it keeps with each state when it was touched
    std::map<K, V> table;
    for (const auto& [key, value] : StateEntries()) {
      const std::string prefix = uid + '\0' + std::string(name) + '\0';
      if (!key.starts_with(prefix)) continue;
      ByteReader in(value);
      in.Varint();  // the order in which the key came
      K k = FromBytes<K>(std::string_view(key).substr(prefix.size() + 2));
      if (idles) {
        table.emplace(std::move(k), Decode<detail::IdleState<V>>(in).state);
      } else {
        table.emplace(std::move(k), Decode<V>(in));
      }
    }
    return table;
  }
  // All state, as it would be in a checkpoint.
  Entries StateEntries() {
    Entries all;
    for (auto& [place, held] : states_) {
      Save(held);
      all.insert(held.store.entries.begin(), held.store.entries.end());
    }
    return all;
  }

  // Saves all state, as a cluster does every so often by itself.
  void Checkpoint() {
    saved_.clear();
    for (auto& [place, held] : states_) {
      Save(held);
      saved_[place] = held.store.entries;
    }
    history_.clear();
  }

  // Every runner is lost: state is restored from the last checkpoint, the batches since are computed again, and must
  // give the same rows.
  void LoseRunner() {
    states_.clear();
    for (const auto& [place, entries] : saved_) Restore(states_[place], place, entries);
    for (const Past& past : history_) {
      BatchRun run(*program_, past.batch, past.time.time_since_epoch().count(), stored_, states_, *tables_);
      run.Run(past.input, false);
      if (run.rows != past.rows) {
        throw std::logic_error("batch " + std::to_string(past.batch) +
                               " gives other rows when it is computed again after a loss: the job is not deterministic "
                               "(it must not look at clocks, random numbers, or the order of hash tables)");
      }
    }
  }

 private:
  struct Past {
    std::uint64_t batch;
    std::chrono::sys_time<std::chrono::microseconds> time;
    StageInput input;
    Rows rows;
  };

  JobTest(std::unique_ptr<engine::Program> program, const JobTestOptions& options)
      : program_(std::move(program)),
        interval_(static_cast<std::int64_t>(program_->description().batch_interval_us)),
        stored_(options.stored || program_->description().state_backend == engine::StateBackend::kRocksDb),
        checkpoint_every_(std::max<std::uint64_t>(1, options.checkpoint_every)),
        now_(options.start) {}

  static engine::JobParameters Parameters(const JobTestOptions& options) {
    return {"", options.arguments, static_cast<std::uint64_t>(options.batch_interval.count())};
  }
  static std::unique_ptr<engine::Program> Plan(const std::function<void(JobContext&)>& body,
                                               const JobTestOptions& options) {
    JobContext context("test", Parameters(options));
    body(context);
    return context.Build();
  }

  std::uint32_t Find(std::string_view name, engine::OperatorKind kind = engine::OperatorKind{}) const {
    std::vector<std::uint32_t> found;
    std::string known;
    for (const engine::OperatorDescription& op : graph().operators) {
      if (kind != engine::OperatorKind{} && op.kind != kind) continue;
      const std::string id = "#" + std::to_string(op.id);
      if (op.uid == name || id == name) return op.id;
      if (op.name == name) found.push_back(op.id);
      known += (known.empty() ? "" : ", ") + (op.uid.empty() ? op.name + " " + id : op.uid);
    }
    if (found.size() == 1) return found.front();
    throw std::invalid_argument((found.empty() ? "there is no operator '" : "several operators are named '") +
                                std::string(name) + "' there; there are: " + known);
  }

  static constexpr std::size_t kTakenAtOnce = 1024;
  void Save(HeldState& held) const {
    if (stored_) return;
    held.state->TakeChanges(held.store);
    while (held.state->TakeMore(kTakenAtOnce)) {
    }
  }
  void Restore(HeldState& held, std::pair<std::uint32_t, std::uint32_t> place, const Entries& entries) const {
    held.store.entries = entries;
    held.state = program_->NewState(place.first, place.second, stored_ ? &held.store : nullptr);
    if (!stored_) {
      for (const auto& [key, value] : entries) held.state->Load(key, value);
    }
    held.state->Loaded();
  }

  std::unique_ptr<engine::Program> program_;
  std::chrono::microseconds interval_;
  bool stored_;
  std::uint64_t checkpoint_every_;
  std::chrono::sys_time<std::chrono::microseconds> now_;
  std::uint64_t batch_ = 0;
  std::unique_ptr<LookupTables> tables_ = std::make_unique<LookupTables>();
  StageInput next_;
  std::map<std::pair<std::uint32_t, std::size_t>, std::int64_t> positions_;  // by source and split
  std::map<std::uint32_t, std::size_t> splits_;                              // how many each source has had
  Rows rows_;
  Counts counts_;
  States states_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Entries> saved_;  // the last checkpoint
  std::vector<Past> history_;                                         // since then
};

}  // namespace millrace::testing
