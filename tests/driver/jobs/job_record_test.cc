#include "driver/jobs/job_record.h"

#include <gtest/gtest.h>

#include "common/status.h"

namespace millrace {
namespace {

v1::durable::JournalRecord First(const JobSnapshot& snapshot = {}) {
  JobRecord record;
  record.id = "j-1";
  record.name = "wc";
  record.sha256 = std::string(32, 'x');
  record.arguments = {{"topic", "lines"}};
  record.plan.set_name("wc");
  v1::durable::JournalRecord first;
  *first.mutable_snapshot() = ToDurable(record, snapshot);
  return first;
}

const SplitKey kSplit{0, "lines-0"};

v1::durable::JournalRecord Added() { return ToDurable(AppendSplits{{{kSplit, 3, "10", false}}}); }

v1::durable::JournalRecord Planned(std::uint64_t batch, std::string start, std::string end, std::uint64_t records) {
  return ToDurable(
      AppendPlanned{{batch, static_cast<std::int64_t>(batch) * 1000, {{kSplit, 3, start, end, records, false}}}});
}

TEST(JobRecord, ReplayGivesPositionsAndPendingBatches) {
  const auto job =
      Replay({First(), Added(), Planned(1, "10", "15", 5), Planned(2, "15", "20", 5), ToDurable(AppendCommitted{1})});
  ASSERT_TRUE(job.ok()) << Message(job.status());
  EXPECT_EQ(job->record.id, "j-1");
  EXPECT_EQ(job->record.arguments.at("topic"), "lines");
  EXPECT_EQ(job->snapshot.committed, 1U);
  EXPECT_EQ(job->snapshot.committed_records, 5U);
  EXPECT_EQ(job->snapshot.last_batch, 2U);
  ASSERT_EQ(job->snapshot.splits.size(), 1U);
  EXPECT_EQ(job->snapshot.splits[0].position, "20");
  EXPECT_EQ(job->snapshot.splits[0].ordinal, 3U);
  ASSERT_EQ(job->snapshot.pending.size(), 1U);
  EXPECT_EQ(job->snapshot.pending[0].batch, 2U);
  EXPECT_EQ(job->snapshot.pending[0].ranges[0].ordinal, 3U);
}

TEST(JobRecord, ASnapshotTakesTheirPlaceExactly) {
  const auto before =
      Replay({First(), Added(), Planned(1, "10", "15", 5), Planned(2, "15", "20", 5), ToDurable(AppendCommitted{1})});
  ASSERT_TRUE(before.ok());
  const auto after = Replay({First(before->snapshot), ToDurable(AppendCommitted{2})});
  ASSERT_TRUE(after.ok()) << Message(after.status());
  EXPECT_EQ(after->snapshot.splits[0].position, "20");
  EXPECT_TRUE(after->snapshot.pending.empty());
  EXPECT_EQ(after->snapshot.committed_records, 10U);
  EXPECT_EQ(after->snapshot.source_records.at(0), 10U);
}

TEST(JobRecord, CheckpointsAreKeptWithTheBatchesSinceTheOldest) {
  auto first = First();
  first.mutable_snapshot()->mutable_plan()->set_checkpoint_interval_us(1'000'000);
  const auto checkpoint = [](std::uint64_t batch) {
    return ToDurable(AppendCheckpoint{{batch, {{{1, 0}, {{Concat("j-1/b", batch), 7, 1, true}}}}}});
  };
  const auto job = Replay({first, Added(), Planned(1, "10", "15", 5), ToDurable(AppendCommitted{1}), checkpoint(1),
                           Planned(2, "15", "20", 5), ToDurable(AppendCommitted{2}), checkpoint(2)});
  ASSERT_TRUE(job.ok()) << Message(job.status());
  const auto check = [](const JobSnapshot& snapshot) {
    EXPECT_EQ(snapshot.checkpoint.batch, 2U);
    EXPECT_EQ(snapshot.checkpoint.chains.at({1, 0}).front().name, "j-1/b2");
    ASSERT_EQ(snapshot.checkpoints_before.size(), 2U);
    EXPECT_EQ(snapshot.checkpoints_before[0].batch, 1U);
    EXPECT_EQ(snapshot.checkpoints_before[0].chains.at({1, 0}).front().name, "j-1/b1");
    EXPECT_EQ(snapshot.checkpoints_before[1].batch, 0U) << "the begin of the job";
    EXPECT_EQ(snapshot.pending.size(), 2U);
  };
  check(job->snapshot);
  const auto again = Replay({First(job->snapshot)});
  ASSERT_TRUE(again.ok());
  check(again->snapshot);
  EXPECT_TRUE(absl::IsDataLoss(Replay({first, checkpoint(2), checkpoint(2)}).status()));
}

TEST(JobRecord, APlanWithAGapIsDataLoss) {
  const auto job = Replay({First(), Added(), Planned(1, "11", "15", 4)});
  EXPECT_TRUE(absl::IsDataLoss(job.status()));
  EXPECT_NE(Message(job.status()).find("reads lines-0 from 11, not from 10"), std::string::npos)
      << Message(job.status());
}

TEST(JobRecord, APlanOfAnUnknownSplitIsDataLoss) {
  EXPECT_TRUE(absl::IsDataLoss(Replay({First(), Planned(1, "10", "15", 5)}).status()));
}

TEST(JobRecord, AnEndedJobSaysHow) {
  const auto job = Replay({First(), ToDurable(EndJob{JobState::kFailed, "Map failed"}, 77)});
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->error, "Map failed");
  EXPECT_EQ(job->ended_time_us, 77);
}

}  // namespace
}  // namespace millrace
