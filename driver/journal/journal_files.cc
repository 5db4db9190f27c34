#include "driver/journal/journal_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/io/file.h"
#include "common/io/record_log.h"
#include "common/log.h"

namespace millrace {
namespace {

using v1::durable::JournalRecord;

absl::Status Damaged(const std::string& dir, std::string_view what) {
  return DataLoss("journal ", JournalPath(dir), " ", what, "; restore the file from a copy, or remove ", dir,
                  " to give the job up");
}

}  // namespace

std::string JournalPath(const std::string& dir) { return dir + "/journal"; }
std::string NewJournalPath(const std::string& dir) { return dir + "/journal.new"; }

absl::StatusOr<bool> JournalExists(const std::string& dir) {
  std::error_code error;
  const bool exists = std::filesystem::exists(JournalPath(dir), error);
  if (error) return ErrnoStatus(error.value(), Concat("cannot look for ", JournalPath(dir)));
  return exists;
}

absl::StatusOr<std::vector<JournalRecord>> ReadJob(const std::string& dir) {
  MR_ASSIGN_OR_RETURN(const RecordLogContents contents, ReadRecordLog(JournalPath(dir)));
  if (contents.torn) {
    log::Warn("journal ends in a torn record, which is left out",
              {{"file", JournalPath(dir)}, {"offset", contents.good_bytes}});
  }
  std::vector<JournalRecord> records;
  for (std::size_t i = 0; i < contents.records.size(); ++i) {
    JournalRecord record;
    if (!record.ParseFromString(contents.records[i]) || record.record_case() == JournalRecord::RECORD_NOT_SET) {
      return Damaged(dir, Concat("has a record (number ", i, ") that this version cannot read"));
    }
    if (record.has_snapshot()) records.clear();
    records.push_back(std::move(record));
  }
  if (records.empty()) return Damaged(dir, "holds no whole record");
  if (!records.front().has_snapshot()) return Damaged(dir, "does not begin with a Snapshot");
  return records;
}

absl::StatusOr<std::vector<std::string>> ListJobs(const std::string& root) {
  std::vector<std::string> jobs;
  std::error_code error;
  std::filesystem::directory_iterator entries(root, error);
  if (error == std::errc::no_such_file_or_directory) return jobs;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    MR_ASSIGN_OR_RETURN(const bool exists, JournalExists(entries->path().string()));
    if (exists) jobs.push_back(entries->path().filename().string());
  }
  if (error) return ErrnoStatus(error.value(), Concat("cannot list ", root));
  std::sort(jobs.begin(), jobs.end());
  return jobs;
}

absl::Status RemoveJobDirectory(const std::string& dir) {
  std::error_code error;
  if (!std::filesystem::exists(dir, error) && !error) return absl::OkStatus();
  MR_RETURN_IF_ERROR(RemoveFile(JournalPath(dir)));
  MR_RETURN_IF_ERROR(SyncDirectory(dir));
  std::filesystem::remove_all(dir, error);
  if (error) return ErrnoStatus(error.value(), Concat("cannot remove ", dir));
  return SyncDirectory(ParentDirectory(dir));
}

}  // namespace millrace
