#include "driver/journal/journal_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/io/record_log.h"
#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ScratchDirectory;
using v1::durable::JournalRecord;

std::string SnapshotOf(std::uint64_t last_batch) {
  JournalRecord record;
  record.mutable_snapshot()->set_last_batch(last_batch);
  return record.SerializeAsString();
}

std::string PlannedOf(std::uint64_t batch) {
  JournalRecord record;
  record.mutable_planned()->set_batch(batch);
  return record.SerializeAsString();
}

void Store(const std::string& dir, const std::vector<std::string>& payloads, std::size_t cut = 0) {
  std::string file;
  for (const auto& payload : payloads) EncodeRecord(payload, file);
  file.resize(file.size() - cut);
  std::filesystem::create_directories(dir);
  std::ofstream(JournalPath(dir), std::ios::binary | std::ios::trunc) << file;
}

TEST(ReadJob, BeginsAtTheLastSnapshot) {
  ScratchDirectory dir;
  Store(dir.path(), {SnapshotOf(0), PlannedOf(1), SnapshotOf(1), PlannedOf(2), PlannedOf(3)}, 1);
  const auto records = ReadJob(dir.path());
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ(records->at(0).snapshot().last_batch(), 1u);
  EXPECT_EQ(records->at(1).planned().batch(), 2u) << "the torn third one was never acknowledged";
}

TEST(ReadJob, RefusesWhatIsNoJournal) {
  ScratchDirectory dir;
  EXPECT_TRUE(absl::IsNotFound(ReadJob(dir.path()).status()));
  const auto refuses = [&](const std::vector<std::string>& payloads, std::string_view why, std::size_t cut = 0) {
    Store(dir.path(), payloads, cut);
    const auto records = ReadJob(dir.path());
    EXPECT_TRUE(absl::IsDataLoss(records.status())) << why;
    EXPECT_THAT(Message(records.status()), HasSubstr(why));
    EXPECT_THAT(Message(records.status()), HasSubstr(JournalPath(dir.path())));
  };
  refuses({}, "holds no whole record");
  refuses({SnapshotOf(1)}, "holds no whole record", 1);
  refuses({PlannedOf(1)}, "does not begin with a Snapshot");
  refuses({SnapshotOf(1), "\xff\xff not a message"}, "number 1");
  refuses({SnapshotOf(1), ""}, "number 1");
}

TEST(ListJobs, NamesDirectoriesThatHoldAJournal) {
  ScratchDirectory dir;
  EXPECT_THAT(*ListJobs(dir / "none"), IsEmpty());
  Store(dir / "job-b", {SnapshotOf(0)});
  Store(dir / "job-a", {SnapshotOf(0)});
  std::filesystem::create_directories(dir / "half-removed");
  std::ofstream(dir / "file") << "x";
  const auto jobs = ListJobs(dir.path());
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  EXPECT_THAT(*jobs, ElementsAre("job-a", "job-b"));
  ASSERT_TRUE(RemoveJobDirectory(dir / "job-a").ok());
  ASSERT_TRUE(RemoveJobDirectory(dir / "job-a").ok());
  EXPECT_THAT(*ListJobs(dir.path()), ElementsAre("job-b"));
}

}  // namespace
}  // namespace millrace
