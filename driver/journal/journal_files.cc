#include "driver/journal/journal_files.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/io/file.h"
#include "common/io/record_log.h"
#include "common/log.h"
#include "driver/journal/planned_mark.h"

namespace millrace {
namespace {

using v1::durable::JournalRecord;

constexpr std::string_view kName = "journal";

absl::Status Damaged(const std::string& path, std::string_view what) {
  return DataLoss("journal ", path, " ", what, "; restore the file from a copy, or remove ", ParentDirectory(path),
                  " to give the job up");
}

// The terms of the journals in a directory, ascending.
absl::StatusOr<std::vector<std::uint64_t>> Epochs(const std::string& dir) {
  std::vector<std::uint64_t> epochs;
  std::error_code error;
  std::filesystem::directory_iterator entries(dir, error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) return epochs;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (name == kName) epochs.push_back(0);
    if (!name.starts_with(kName) || name.size() < kName.size() + 2 || name[kName.size()] != '.') continue;
    std::uint64_t epoch = 0;
    const char* const last = name.data() + name.size();
    const auto [end, bad] = std::from_chars(name.data() + kName.size() + 1, last, epoch);
    if (bad == std::errc() && end == last && epoch > 0) epochs.push_back(epoch);
  }
  if (error) return ErrnoStatus(error.value(), Concat("cannot list ", dir));
  std::ranges::sort(epochs);
  return epochs;
}

// A plan that was durable has been acted upon.
absl::Status CheckEnd(const std::string& path, const std::vector<JournalRecord>& records) {
  const std::optional<std::uint64_t> promised = ReadPlannedMark(PlannedMarkPath(path));
  std::uint64_t last = 0;
  for (const JournalRecord& record : records)
    last = std::max({last, record.snapshot().last_batch(), record.planned().batch()});
  if (!promised || *promised <= last) return absl::OkStatus();
  return DataLoss("journal ", path, " has lost its end: batches up to ", *promised,
                  " were planned in it, and it ends with batch ", last, "; restore the file from a copy. Removing ",
                  PlannedMarkPath(path), " lets the job go on after batch ", last,
                  ", and what came out of the lost batches is then wrong");
}

}  // namespace

std::string JournalPath(const std::string& dir, std::uint64_t epoch) {
  return epoch == 0 ? Concat(dir, "/", kName) : Concat(dir, "/", kName, ".", epoch);
}
std::string NewJournalPath(const std::string& dir, std::uint64_t epoch) { return JournalPath(dir, epoch) + ".new"; }

absl::StatusOr<std::optional<std::uint64_t>> NewestJournal(const std::string& dir) {
  MR_ASSIGN_OR_RETURN(const auto epochs, Epochs(dir));
  return epochs.empty() ? std::nullopt : std::optional(epochs.back());
}

absl::StatusOr<std::vector<JournalRecord>> ReadJob(const std::string& dir) {
  MR_ASSIGN_OR_RETURN(const auto newest, NewestJournal(dir));
  const std::string path = JournalPath(dir, newest.value_or(0));
  MR_ASSIGN_OR_RETURN(const RecordLogContents contents, ReadRecordLog(path));
  if (contents.torn) {
    log::Warn("journal ends in a torn record, which is left out", {{"file", path}, {"offset", contents.good_bytes}});
  }
  std::vector<JournalRecord> records;
  for (std::size_t i = 0; i < contents.records.size(); ++i) {
    JournalRecord record;
    if (!record.ParseFromString(contents.records[i]) || record.record_case() == JournalRecord::RECORD_NOT_SET) {
      return Damaged(path, Concat("has a record (number ", i, ") that this version cannot read"));
    }
    if (record.has_snapshot()) records.clear();
    records.push_back(std::move(record));
  }
  if (records.empty()) return Damaged(path, "holds no whole record");
  if (!records.front().has_snapshot()) return Damaged(path, "does not begin with a Snapshot");
  MR_RETURN_IF_ERROR(CheckEnd(path, records));
  return records;
}

absl::StatusOr<v1::durable::Snapshot> ReadBeginning(const std::string& dir) {
  MR_ASSIGN_OR_RETURN(const auto newest, NewestJournal(dir));
  MR_ASSIGN_OR_RETURN(const std::string first, ReadFirstRecord(JournalPath(dir, newest.value_or(0))));
  JournalRecord record;
  if (!record.ParseFromString(first) || !record.has_snapshot()) return DataLoss("no Snapshot");
  return record.snapshot();
}

absl::StatusOr<std::vector<std::string>> ListJobs(const std::string& root) {
  std::vector<std::string> jobs;
  std::error_code error;
  std::filesystem::directory_iterator entries(root, error);
  if (error == std::errc::no_such_file_or_directory) return jobs;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    MR_ASSIGN_OR_RETURN(const auto newest, NewestJournal(entries->path().string()));
    if (newest) jobs.push_back(entries->path().filename().string());
  }
  if (error) return ErrnoStatus(error.value(), Concat("cannot list ", root));
  std::sort(jobs.begin(), jobs.end());
  return jobs;
}

absl::Status RemoveOlderJournals(const std::string& dir, std::uint64_t epoch) {
  MR_ASSIGN_OR_RETURN(const auto epochs, Epochs(dir));
  for (const std::uint64_t older : epochs) {
    if (older >= epoch) continue;
    MR_RETURN_IF_ERROR(RemoveFile(JournalPath(dir, older)));
    MR_RETURN_IF_ERROR(RemoveFile(PlannedMarkPath(JournalPath(dir, older))));
  }
  return absl::OkStatus();
}

absl::Status RemoveJobDirectory(const std::string& dir) {
  std::error_code error;
  if (!std::filesystem::exists(dir, error) && !error) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(const auto epochs, Epochs(dir));
  for (const std::uint64_t epoch : epochs) {
    MR_RETURN_IF_ERROR(RemoveFile(JournalPath(dir, epoch)));
    MR_RETURN_IF_ERROR(SyncDirectory(dir));
  }
  std::filesystem::remove_all(dir, error);
  if (error) return ErrnoStatus(error.value(), Concat("cannot remove ", dir));
  return SyncDirectory(ParentDirectory(dir));
}

}  // namespace millrace
