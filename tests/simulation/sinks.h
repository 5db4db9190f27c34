// The simulated sinks, as Kafka gives them: opening a writer fences older ones and tells the mark; data and mark change
// in one step; a commit looks at the fence, not at the mark. Every output is compared with the oracle the moment it
// becomes visible. Throws Violation. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "common/dataflow/job_plan.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/mutation.h"
#include "tests/simulation/workload.h"

namespace millrace::simulation {

struct SinkKey {
  std::uint32_t sink = 0;
  TaskKey task;
  auto operator<=>(const SinkKey&) const = default;
};

struct Fence {
  std::uint64_t epoch = 0;
  std::uint64_t version = 0;
  auto operator<=>(const Fence&) const = default;
};

class Sinks {
 public:
  Sinks(const JobPlan& plan, const Journal& journal, Mutation mutation)
      : plan_(plan), journal_(journal), mutation_(mutation) {}

  // The mark; nothing when a newer writer has been here.
  std::optional<std::uint64_t> Open(const SinkKey& key, Fence fence);
  // False when a newer writer has been here.
  bool Commit(const SinkKey& key, Fence fence, std::uint64_t batch, const Output& output);
  // Throws unless every output of the durable plans up to `batch` is visible and is what the plans of now give.
  void CheckComplete(std::uint64_t batch);
  // Records visible in the partitions of one sink.
  std::uint64_t Total(std::uint32_t sink) const;

 private:
  struct Partition {
    Fence fence;
    std::uint64_t mark = 0;
    std::map<std::uint64_t, Output> batches;
  };
  const std::map<TaskKey, Output>& Expected(const PlannedBatch& planned);
  const States& StatesBefore(std::uint64_t batch);

  const JobPlan& plan_;
  const Journal& journal_;
  const Mutation mutation_;
  std::map<SinkKey, Partition> partitions_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::map<TaskKey, Output>>
      expected_;                            // by batch and hash of its ranges
  std::map<std::uint64_t, States> states_;  // after each batch, as the plans were when they were first asked for
  std::uint64_t checked_ = 0;
};

}  // namespace millrace::simulation
