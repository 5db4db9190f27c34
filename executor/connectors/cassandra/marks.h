// The mark of a sink partition: a row in a small table of the keyspace, with the last batch that was written and the
// owner that may write. It is read and changed by lightweight transactions alone, so an older owner finds out that it
// is one before it takes a batch for done.
//
//   MR_RETURN_IF_ERROR(marks.EnsureTable(session, deadline));
//   MR_ASSIGN_OR_RETURN(std::uint64_t mark, marks.Claim(session, deadline));  // fences older owners
//   MR_RETURN_IF_ERROR(marks.Set(session, batch, deadline));                  // after the batch's rows
//
// Thread rule: one thread. Errors: Aborted when a newer owner is there; PermissionDenied, with the statement that makes
// the table, when it is missing and the user may not create it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/cassandra/session.h"
#include "executor/connectors/sink.h"

namespace millrace::cassandra {

class Marks {
 public:
  Marks(const std::string& keyspace, const std::string& table, const SinkPartition& partition);

  absl::Status EnsureTable(Session& session, Deadline deadline) const;
  absl::StatusOr<std::uint64_t> Claim(Session& session, Deadline deadline) const;
  absl::Status Set(Session& session, std::uint64_t batch, Deadline deadline) const;

 private:
  // What a lightweight transaction told: whether it was applied, and the row if not.
  struct Outcome {
    bool applied = false;
    bool found = false;
    std::uint64_t epoch = 0;
    std::uint64_t version = 0;
    std::uint64_t batch = 0;
  };
  absl::StatusOr<bool> TableThere(Session& session, Deadline deadline) const;
  // A table is in the schema's tables a moment before statements can name it.
  absl::Status AwaitUsable(Session& session, Deadline deadline) const;
  absl::StatusOr<Outcome> Transact(Session& session, const std::string& cql, std::vector<std::string> values,
                                   Deadline deadline) const;
  absl::Status Fenced(const Outcome& outcome) const;
  bool Newer(const Outcome& outcome) const;
  bool Ours(const Outcome& outcome) const;

  const std::string keyspace_;
  const std::string table_;
  const std::string full_name_;  // quoted
  const SinkPartition partition_;
  std::vector<std::string> key_;  // bound values of the primary key
};

}  // namespace millrace::cassandra
