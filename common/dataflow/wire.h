// Between the cores' plain structs and the protobuf messages of proto/millrace/v1. Lossless both ways; a message from
// the network is checked here, so that the cores may trust what they are given: InvalidArgument names the field.
#pragma once

#include "absl/status/statusor.h"
#include "common/dataflow/job_plan.h"
#include "common/dataflow/messages.h"
#include "millrace/v1/cluster.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace::wire {

// Checks the whole plan: ids dense, inputs earlier, stages upstream first, intervals and partitions within their
// limits.
absl::StatusOr<JobPlan> FromProto(const v1::Plan& plan);

void ToProto(const Holding& holding, v1::Holding* out);
Holding FromProto(const v1::Holding& in);
void ToProto(const Route& route, v1::Route* out);
absl::StatusOr<Route> FromProto(const v1::Route& route);
// InvalidArgument when it names what the plan does not have, or ranges that are not those of the hash.
absl::Status Check(const Route& route, const JobPlan& plan);
absl::Status Check(const BatchWork& work, const JobPlan& plan);
void ToProto(const BatchWork& work, v1::BatchWork* out);
BatchWork FromProto(const v1::BatchWork& work);
void ToProto(const Range& range, v1::Range* out);
Range FromProto(const v1::Range& range);
void ToProto(const RangeReport& report, v1::RangeReport* out);
RangeReport FromProto(const v1::RangeReport& report);
void ToProto(const BatchDone& done, v1::BatchDone* out);
BatchDone FromProto(const v1::BatchDone& done);
void ToProto(const StateReport& report, v1::StateReport* out);
StateReport FromProto(const v1::StateReport& report);
void ToProto(const TaskFailure& failure, v1::TaskFailure* out);
TaskFailure FromProto(const v1::TaskFailure& failure);
void ToProto(const SplitReport& report, v1::SplitReport* out);
SplitReport FromProto(const v1::SplitReport& report);

}  // namespace millrace::wire
