// What a new job takes over from an ended one: where its sources were, and the state of its operators, found by uid.
// Pure functions of the two plans and the old job's last word.
//
// What fits is taken over. What does not fit is refused with the whole difference, a line each: an operator that keeps
// something else under the same uid, state that no operator of the new job wants, another batch interval under state
// that counts batches. An operator that is new begins empty; a source that is new begins where its options say.
//
// A job that was stopped in order is gone on from exactly where it ended. Of one that failed, or was stopped before all
// was done, the newest checkpoint is taken (without state: the last committed batch), and the note says which batches'
// output may come a second time: it was the old job's.
//
//   MR_ASSIGN_OR_RETURN(const CarriedOver first, CarryOver("j-12ab", old_plan, old_snapshot, new_plan));
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "driver/job/events.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

struct CarriedOver {
  JobSnapshot snapshot;
  std::string note;  // for people; empty when there is nothing to say
};

// FailedPrecondition when the old job kept state and has no checkpoint; InvalidArgument with the difference when the
// plans do not fit.
absl::StatusOr<CarriedOver> CarryOver(const std::string& old_job, const v1::Plan& old_plan, const JobSnapshot& old,
                                      const v1::Plan& new_plan);

}  // namespace millrace
