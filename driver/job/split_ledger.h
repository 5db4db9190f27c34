// What the sources consist of and how far the plan has read them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/dataflow/job_plan.h"
#include "driver/job/events.h"

namespace millrace {

class SplitLedger {
 public:
  explicit SplitLedger(const JobPlan& plan);

  void Restore(const std::vector<SplitState>& splits);
  // Takes a listing; returns the splits that are new. A listing with a problem changes nothing but problem().
  std::vector<SplitState> Listed(const SplitReport& report);
  // Moves the positions to the ends of these ranges.
  void Advance(const std::vector<Range>& ranges);

  std::vector<const SplitState*> active() const;  // not finished, in (source, ordinal) order
  const SplitState* Find(const SplitKey& key) const;
  std::vector<SplitState> all() const;
  bool AllListed() const;    // every source has been listed at least once
  bool AllFinished() const;  // nothing will ever come from any source
  const std::string& problem(std::uint32_t source) const;
  std::size_t count(std::uint32_t source) const;

 private:
  struct SourceState {
    bool listed = false;
    bool complete = false;
    std::string problem;
    std::uint32_t next_ordinal = 0;
  };
  std::map<std::uint32_t, SourceState> sources_;
  std::map<SplitKey, SplitState> splits_;
};

}  // namespace millrace
