// The simulated sources: splits that appear and grow while the job runs, with pauses, and, when bounded, come to an end
// that is known a little after the last record. What a record is depends on split and index alone (workload.h). One
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "common/dataflow/job_plan.h"
#include "tests/simulation/random.h"

namespace millrace::simulation {

class Sources {
 public:
  Sources(const JobPlan& plan, bool bounded, Random& random);

  void Grow(Random& random);
  void RevealAll();  // every split exists from now on
  // Up to where a split has grown, and whether it is known never to grow again.
  std::pair<std::uint64_t, bool> Grown(const SplitKey& split) const;
  SplitReport List(std::uint32_t source) const;
  // Of a bounded source: all that will ever be.
  std::uint64_t total() const;

 private:
  struct Split {
    std::uint64_t high = 0;
    std::uint64_t limit = UINT64_MAX;
    bool visible = false;
    bool sealed = false;
    int pause = 0;
  };
  std::map<SplitKey, Split> splits_;
};

}  // namespace millrace::simulation
