// What a job is apart from how it is doing: given at submission, stored in the first record of its journal.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "driver/job/events.h"
#include "millrace/v1/cluster.pb.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/durable.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

struct JobRecord {
  std::string id;
  std::string name;
  std::string sha256;  // 32 bytes
  std::map<std::string, std::string> arguments;
  std::uint64_t batch_interval_us = 0;  // 0: the job's own
  std::int64_t submitted_time_us = 0;
  v1::Plan plan;
  std::string submission = {};  // the client's own name for its call; empty: none
};

// What a journal tells of a job.
struct RecoveredJob {
  JobRecord record;
  JobSnapshot snapshot;
  JobState state = JobState::kRunning;  // kStopped and later: it has ended
  std::string error;
  std::int64_t ended_time_us = 0;
};

v1::durable::Snapshot ToDurable(const JobRecord& record, const JobSnapshot& snapshot);
v1::durable::JournalRecord ToDurable(const AppendSplits& splits);
v1::durable::JournalRecord ToDurable(const AppendPlanned& planned);
v1::durable::JournalRecord ToDurable(const AppendCheckpoint& checkpoint);
v1::durable::JournalRecord ToDurable(const AppendCommitted& committed);
v1::durable::JournalRecord ToDurable(const EndJob& end, std::int64_t now_us);

// Plays a journal's records. DataLoss when they contradict each other (a plan that does not begin where the last one
// ended).
absl::StatusOr<RecoveredJob> Replay(const std::vector<v1::durable::JournalRecord>& records);

}  // namespace millrace
