#include "executor/connectors/cassandra/marks.h"

#include <thread>
#include <tuple>

#include "common/status.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {
namespace {

constexpr std::string_view kWhere = " WHERE job = ? AND sink = ? AND stage = ? AND part = ?";
constexpr int kMaxRounds = 20;
// Tables that two nodes create at the same moment confuse a cluster: one partition does it, the others wait this long.
constexpr std::chrono::seconds kOthersWait{3};
constexpr std::chrono::milliseconds kLook{200};

std::string Text(std::string_view text) { return WireWriter().Bytes(text).Take(); }
std::string Int(std::uint32_t value) { return WireWriter().Int(4).Int(static_cast<std::int32_t>(value)).Take(); }
std::string Long(std::uint64_t value) { return WireWriter().Int(8).Long(static_cast<std::int64_t>(value)).Take(); }

}  // namespace

Marks::Marks(const std::string& keyspace, const std::string& table, const SinkPartition& partition)
    : keyspace_(keyspace),
      table_(table),
      full_name_(Concat(Quoted(keyspace), ".", Quoted(table))),
      partition_(partition),
      key_{Text(partition.job_id), Text(partition.sink), Int(partition.stage), Int(partition.partition)} {}

absl::StatusOr<bool> Marks::TableThere(Session& session, Deadline deadline) const {
  MR_ASSIGN_OR_RETURN(
      const RowSet rows,
      session.Call({"SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?",
                    {Text(keyspace_), Text(table_)},
                    Consistency::kOne},
                   "looking for the table of marks", deadline));
  return !rows.rows.empty();
}

absl::Status Marks::EnsureTable(Session& session, Deadline deadline) const {
  const auto wait_until = std::min(
      deadline, std::chrono::steady_clock::now() + (partition_.partition == 0 ? std::chrono::seconds(0) : kOthersWait));
  while (true) {
    MR_ASSIGN_OR_RETURN(const bool there, TableThere(session, deadline));
    if (there) return AwaitUsable(session, deadline);
    if (std::chrono::steady_clock::now() >= wait_until) break;
    std::this_thread::sleep_for(kLook);
  }
  const std::string create =
      Concat("CREATE TABLE IF NOT EXISTS ", full_name_,
             " (job text, sink text, stage int, part int, epoch bigint, version bigint, last_batch bigint, "
             "PRIMARY KEY ((job, sink, stage, part)))");
  const absl::Status made =
      session.Call({create, {}, Consistency::kQuorum}, "creating the table of marks", deadline).status();
  if (made.ok()) return AwaitUsable(session, deadline);
  if (!absl::IsPermissionDenied(made)) return made;
  return PermissionDenied(Message(made), ": or let somebody run ", create,
                          " and GRANT SELECT and MODIFY on it, or set the option marks_table to nothing");
}

absl::Status Marks::AwaitUsable(Session& session, Deadline deadline) const {
  while (true) {
    const absl::Status status = session
                                    .Call({Concat("SELECT job FROM ", full_name_, " LIMIT 1"), {}, Consistency::kOne},
                                          "reading the table of marks", deadline)
                                    .status();
    if (!absl::IsInvalidArgument(status) || std::chrono::steady_clock::now() >= deadline) return status;
    std::this_thread::sleep_for(kLook);
  }
}

absl::StatusOr<Marks::Outcome> Marks::Transact(Session& session, const std::string& cql,
                                               std::vector<std::string> values, Deadline deadline) const {
  const Consistency serial = session.options().serial_consistency;
  const Consistency learn = serial == Consistency::kLocalSerial ? Consistency::kLocalQuorum : Consistency::kQuorum;
  MR_ASSIGN_OR_RETURN(const RowSet rows,
                      session.Call({cql, std::move(values), learn, serial}, "changing the mark", deadline));
  if (rows.rows.size() != 1) {
    return Unavailable("cassandra ", session.ContactPoints(), ": changing the mark: no answer to a transaction");
  }
  const ResultRow& row = rows.rows[0];
  Outcome outcome;
  outcome.applied = rows.Number(row, "[applied]") != 0;
  outcome.found = !rows.Text(row, "epoch").empty();
  outcome.epoch = static_cast<std::uint64_t>(rows.Number(row, "epoch"));
  outcome.version = static_cast<std::uint64_t>(rows.Number(row, "version"));
  outcome.batch = static_cast<std::uint64_t>(rows.Number(row, "last_batch"));
  return outcome;
}

bool Marks::Newer(const Outcome& outcome) const {
  return std::tie(outcome.epoch, outcome.version) > std::tie(partition_.epoch, partition_.version);
}
bool Marks::Ours(const Outcome& outcome) const {
  return outcome.epoch == partition_.epoch && outcome.version == partition_.version;
}

absl::Status Marks::Fenced(const Outcome& outcome) const {
  return Aborted("cassandra sink ", partition_.sink, ": partition ", partition_.partition, " has a newer owner (",
                 outcome.epoch, ".", outcome.version, ", this one is ", partition_.epoch, ".", partition_.version, ")");
}

absl::StatusOr<std::uint64_t> Marks::Claim(Session& session, Deadline deadline) const {
  for (int round = 0; round < kMaxRounds; ++round) {
    std::vector<std::string> values = key_;
    for (const std::uint64_t value : {partition_.epoch, partition_.version, std::uint64_t{0}}) {
      values.push_back(Long(value));
    }
    MR_ASSIGN_OR_RETURN(
        const Outcome first,
        Transact(session,
                 Concat("INSERT INTO ", full_name_,
                        " (job, sink, stage, part, epoch, version, last_batch) VALUES (?, ?, ?, ?, ?, ?, ?)"
                        " IF NOT EXISTS"),
                 std::move(values), deadline));
    if (first.applied) return std::uint64_t{0};
    if (Newer(first)) return Fenced(first);
    if (Ours(first)) return first.batch;
    values = {Long(partition_.epoch), Long(partition_.version)};
    values.insert(values.end(), key_.begin(), key_.end());
    for (const std::uint64_t value : {first.epoch, first.version, first.batch}) values.push_back(Long(value));
    MR_ASSIGN_OR_RETURN(const Outcome second,
                        Transact(session,
                                 Concat("UPDATE ", full_name_, " SET epoch = ?, version = ?", kWhere,
                                        " IF epoch = ? AND version = ? AND last_batch = ?"),
                                 std::move(values), deadline));
    if (second.applied) return first.batch;
  }
  return Unavailable("cassandra ", session.ContactPoints(), ": the mark of sink ", partition_.sink,
                     " changes all the time; is another driver running the same job?");
}

absl::Status Marks::Set(Session& session, std::uint64_t batch, Deadline deadline) const {
  std::vector<std::string> values = {Long(batch)};
  values.insert(values.end(), key_.begin(), key_.end());
  values.push_back(Long(partition_.epoch));
  values.push_back(Long(partition_.version));
  MR_ASSIGN_OR_RETURN(
      const Outcome outcome,
      Transact(session, Concat("UPDATE ", full_name_, " SET last_batch = ?", kWhere, " IF epoch = ? AND version = ?"),
               std::move(values), deadline));
  if (outcome.applied) return absl::OkStatus();
  if (outcome.found) return Fenced(outcome);
  return Unavailable("cassandra ", session.ContactPoints(), ": the mark of sink ", partition_.sink, " in ", full_name_,
                     " is gone; it is made anew");
}

}  // namespace millrace::cassandra
