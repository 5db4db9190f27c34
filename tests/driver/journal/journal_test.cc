#include "driver/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>

#include "tests/common/eventually.h"
#include "tests/common/io/scratch.h"
#include "tests/common/io/sync_faults.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using testing::FailSyncs;
using ::testing::HasSubstr;
using testing::ScratchDirectory;
using testing::SmallDisk;
using testing::SyncCount;
using v1::durable::JournalRecord;
using v1::durable::Snapshot;

JournalRecord SnapshotRecord(std::uint64_t last_batch, std::size_t padding = 0) {
  JournalRecord record;
  record.mutable_snapshot()->set_last_batch(last_batch);
  record.mutable_snapshot()->set_name(std::string(padding, 'n'));
  return record;
}

JournalRecord Planned(std::uint64_t batch, std::size_t padding = 0) {
  JournalRecord record;
  record.mutable_planned()->set_batch(batch);
  if (padding > 0) record.mutable_planned()->add_ranges()->set_end(std::string(padding, 'e'));
  return record;
}

JournalRecord Committed(std::uint64_t batch) {
  JournalRecord record;
  record.mutable_committed()->set_batch(batch);
  return record;
}

// A `done` that can be waited for.
class Result {
 public:
  JournalService::Done done() {
    return [promise = promise_](absl::Status status) { promise->set_value(std::move(status)); };
  }
  absl::Status get() { return future_.get(); }
  bool ready() const { return future_.wait_for(milliseconds(0)) == std::future_status::ready; }

 private:
  std::shared_ptr<std::promise<absl::Status>> promise_ = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> future_ = promise_->get_future();
};

absl::Status AppendAndWait(JournalService& journal, const std::string& job, const JournalRecord& record) {
  Result result;
  if (absl::Status status = journal.Append(job, record, result.done()); !status.ok()) return status;
  return result.get();
}

// Keeps the journal's thread in a `done` until it is told to go on.
class Hold {
 public:
  Hold(JournalService& journal, const std::string& job, const JournalRecord& record) {
    EXPECT_TRUE(
        journal.Append(job, record, [this](const absl::Status&) { reached_.set_value(), go_.get_future().wait(); })
            .ok());
    reached_.get_future().wait();
  }
  void Release() { go_.set_value(); }

 private:
  std::promise<void> reached_;
  std::promise<void> go_;
};

// What a reader finds must be a Snapshot of batch n, then Planned n+1, n+2, … `last`.
void ExpectContiguous(const std::string& dir, std::uint64_t last) {
  const auto records = ReadJob(dir);
  ASSERT_TRUE(records.ok()) << records.status();
  std::uint64_t batch = records->front().snapshot().last_batch();
  for (std::size_t i = 1; i < records->size(); ++i) ASSERT_EQ(records->at(i).planned().batch(), ++batch);
  EXPECT_EQ(batch, last);
}

TEST(Journal, ReadsBackWhatWasAcknowledged) {
  ScratchDirectory dir;
  {
    JournalService journal({});
    ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
    EXPECT_TRUE(absl::IsAlreadyExists(journal.OpenJob("a", dir / "a")));
    ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
    ASSERT_TRUE(AppendAndWait(journal, "a", Planned(1)).ok());
    ExpectContiguous(dir / "a", 1);
  }
  JournalService journal({});
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", Planned(2)).ok());
  ExpectContiguous(dir / "a", 2);
  EXPECT_EQ(journal.queued_bytes(), 0u);
  EXPECT_EQ(journal.problem("a"), "");
}

TEST(Journal, RefusesWhatItCannotTake) {
  ScratchDirectory dir;
  JournalService journal({.max_queued_bytes = 1000});
  EXPECT_TRUE(absl::IsNotFound(journal.Append("none", Planned(1), nullptr)));
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(journal.Append("a", JournalRecord(), nullptr)));
  EXPECT_TRUE(absl::IsInvalidArgument(journal.Append("a", Planned(1, 65 << 20), nullptr)));
  Hold hold(journal, "a", SnapshotRecord(0));
  ASSERT_TRUE(journal.Append("a", Planned(1, 500), nullptr).ok());
  EXPECT_GT(journal.queued_bytes("a"), 500u);
  EXPECT_TRUE(absl::IsResourceExhausted(journal.Append("a", Planned(2, 500), nullptr)));
  ASSERT_TRUE(journal.Rewrite("a", SnapshotRecord(1, 500).snapshot()).ok()) << "the way out is never refused";
  hold.Release();
  EXPECT_TRUE(Eventually([&] { return journal.queued_bytes() == 0; }));
  ASSERT_TRUE(AppendAndWait(journal, "a", Planned(2)).ok());
  ExpectContiguous(dir / "a", 2);
}

TEST(Journal, ANewJobBeginsWithASnapshot) {
  ScratchDirectory dir;
  JournalService journal({});
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(AppendAndWait(journal, "a", Planned(1))));
}

TEST(Journal, CommitsManyRecordsWithOneSync) {
  ScratchDirectory dir;
  JournalService journal({});
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  ASSERT_TRUE(journal.OpenJob("b", dir / "b").ok());
  ASSERT_TRUE(AppendAndWait(journal, "b", SnapshotRecord(0)).ok());
  Hold hold(journal, "a", SnapshotRecord(0));
  const auto before = SyncCount();
  std::vector<std::uint64_t> order;
  Result last_a, last_b;
  for (std::uint64_t batch = 1; batch <= 1000; ++batch) {
    ASSERT_TRUE(
        journal.Append("a", Planned(batch), [&order, batch](const absl::Status&) { order.push_back(batch); }).ok());
    ASSERT_TRUE(journal.Append("b", Planned(batch), nullptr).ok());
  }
  ASSERT_TRUE(journal.Append("a", Planned(1001), last_a.done()).ok());
  ASSERT_TRUE(journal.Append("b", Planned(1001), last_b.done()).ok());
  hold.Release();
  ASSERT_TRUE(last_a.get().ok());
  ASSERT_TRUE(last_b.get().ok());
  EXPECT_EQ(SyncCount() - before, 2u) << "one for each file";
  ASSERT_EQ(order.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  ExpectContiguous(dir / "a", 1001);
  ExpectContiguous(dir / "b", 1001);
}

TEST(Journal, ManyThreadsAndJobsKeepTheirOrder) {
  ScratchDirectory dir;
  JournalService journal({.compact_bytes = 1 << 30});
  constexpr std::uint64_t kBatches = 500;
  const auto before = SyncCount();
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int job = 0; job < 4; ++job) {
    const std::string id = "job" + std::to_string(job);
    ASSERT_TRUE(journal.OpenJob(id, dir / id).ok());
    threads.emplace_back([&, id] {
      if (!journal.Append(id, SnapshotRecord(0), nullptr).ok()) ++failures;
      for (std::uint64_t batch = 1; batch < kBatches; ++batch) {
        if (!journal.Append(id, Planned(batch), nullptr).ok()) ++failures;
      }
      if (!AppendAndWait(journal, id, Planned(kBatches)).ok()) ++failures;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures.load(), 0);
  EXPECT_LT(SyncCount() - before, 4 * kBatches / 2);
  for (int job = 0; job < 4; ++job) ExpectContiguous(dir / ("job" + std::to_string(job)), kBatches);
}

TEST(Journal, LazyRecordsRideWithTheNextSync) {
  ScratchDirectory dir;
  JournalService journal({.lazy_delay = std::chrono::hours(1)});
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
  const auto before = SyncCount();
  Result lazy;
  ASSERT_TRUE(journal.Append("a", Committed(1), lazy.done(), Durability::kLazy).ok());
  EXPECT_FALSE(lazy.ready());
  EXPECT_GT(journal.queued_bytes(), 0u);
  ASSERT_TRUE(AppendAndWait(journal, "a", Planned(2)).ok());
  EXPECT_TRUE(lazy.get().ok());
  EXPECT_EQ(SyncCount() - before, 1u);
}

TEST(Journal, LazyRecordsDoNotWaitForEver) {
  ScratchDirectory dir;
  JournalService journal({.lazy_delay = milliseconds(5)});
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
  Result lazy;
  ASSERT_TRUE(journal.Append("a", Committed(1), lazy.done(), Durability::kLazy).ok());
  EXPECT_TRUE(lazy.get().ok());
}

TEST(Journal, StoppingMakesWhatIsQueuedDurable) {
  ScratchDirectory dir;
  Result lazy;
  {
    JournalService journal({.lazy_delay = std::chrono::hours(1)});
    ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
    ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
    ASSERT_TRUE(journal.Append("a", Committed(1), lazy.done(), Durability::kLazy).ok());
  }
  EXPECT_TRUE(lazy.get().ok());
  EXPECT_EQ(ReadJob(dir / "a")->size(), 2u);
}

// The way a driver uses it: the snapshot tells all that was appended, under the lock that orders the appends.
TEST(Journal, CompactsWhileRecordsComeIn) {
  ScratchDirectory dir;
  std::mutex mutex;
  std::uint64_t appended = 0;
  std::atomic<int> compactions{0};
  JournalService* service = nullptr;
  JournalOptions options{.compact_bytes = 4096};
  options.on_compact = [&](const std::string& job) {
    EXPECT_EQ(job, "a");
    ++compactions;
    std::lock_guard lock(mutex);
    const absl::Status status = service->Rewrite("a", SnapshotRecord(appended).snapshot());
    EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << status;  // unavailable: the test is over
  };
  auto journal = std::make_unique<JournalService>(options);
  service = journal.get();
  ASSERT_TRUE(journal->OpenJob("a", dir / "a").ok());
  ASSERT_TRUE(AppendAndWait(*journal, "a", SnapshotRecord(0)).ok());
  constexpr std::uint64_t kBatches = 3000;
  std::uint64_t acknowledged = 0;
  for (std::uint64_t batch = 1; batch <= kBatches; ++batch) {
    Result result;
    const bool wait = batch % 10 == 0;
    {
      std::lock_guard lock(mutex);
      ASSERT_TRUE(journal->Append("a", Planned(batch, 50), wait ? result.done() : nullptr).ok());
      appended = batch;
    }
    if (!wait) continue;
    ASSERT_TRUE(result.get().ok());
    acknowledged = batch;
    if (batch % 300 == 0) {
      const auto records = ReadJob(dir / "a");
      ASSERT_TRUE(records.ok()) << records.status();
    }
  }
  EXPECT_EQ(acknowledged, kBatches);
  journal.reset();
  EXPECT_GT(compactions.load(), 10);
  EXPECT_LT(std::filesystem::file_size(dir / "a/journal"), 3 * 4096u);
  ExpectContiguous(dir / "a", kBatches);
  EXPECT_FALSE(std::filesystem::exists(dir / "a/journal.new"));
}

TEST(Journal, AsksForCompactionOnceAndNotForALargeSnapshotAlone) {
  ScratchDirectory dir;
  std::atomic<int> asked{0};
  JournalOptions options{.compact_bytes = 1000};
  options.on_compact = [&](const std::string&) { ++asked; };
  JournalService journal(options);
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0, 5000)).ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", Planned(1, 100)).ok());
  EXPECT_EQ(asked.load(), 0);
  for (std::uint64_t batch = 2; batch < 10; ++batch)
    ASSERT_TRUE(AppendAndWait(journal, "a", Planned(batch, 5000)).ok());
  EXPECT_EQ(asked.load(), 1);
}

TEST(Journal, GoesOnWithTheOldFileWhenItCannotBeCompacted) {
  ScratchDirectory dir;
  JournalService journal({});
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
  std::filesystem::create_directories(dir / "a/journal.new/in the way");
  ASSERT_TRUE(AppendAndWait(journal, "a", Planned(1)).ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(1)).ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", Planned(2)).ok());
  const auto records = ReadJob(dir / "a");
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_EQ(records->size(), 2u);
  ExpectContiguous(dir / "a", 2);
}

TEST(Journal, AFailedSyncBreaksThisJobAlone) {
  ScratchDirectory dir;
  JournalService journal({});
  for (const std::string id : {"a", "b"}) {
    ASSERT_TRUE(journal.OpenJob(id, dir / id).ok());
    ASSERT_TRUE(AppendAndWait(journal, id, SnapshotRecord(0)).ok());
  }
  FailSyncs(1, EIO);
  EXPECT_THAT(Message(AppendAndWait(journal, "a", Planned(1))), HasSubstr("Input/output error"));
  EXPECT_THAT(journal.problem("a"), HasSubstr("restarted"));
  EXPECT_FALSE(AppendAndWait(journal, "a", Planned(2)).ok()) << "broken for good";
  EXPECT_EQ(journal.queued_bytes(), 0u);
  EXPECT_TRUE(AppendAndWait(journal, "b", Planned(1)).ok());
}

TEST(Journal, ADamagedFileIsNotContinued) {
  ScratchDirectory dir;
  {
    JournalService journal({});
    ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
    ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0, 100)).ok());
    ASSERT_TRUE(AppendAndWait(journal, "a", Planned(1)).ok());
  }
  {
    std::FILE* file = std::fopen((dir / "a/journal").c_str(), "r+b");
    std::fseek(file, 30, SEEK_SET);
    std::fputc('!', file);
    std::fclose(file);
  }
  JournalService journal({});
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  EXPECT_TRUE(absl::IsDataLoss(AppendAndWait(journal, "a", Planned(2))));
}

TEST(Journal, WaitsOutAFullDisk) {
  SmallDisk disk(512 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  JournalService journal({.retry_delay = milliseconds(5)});
  ASSERT_TRUE(journal.OpenJob("a", disk / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
  disk.Fill(32 << 10);
  std::vector<Result> results(10);
  for (std::uint64_t batch = 1; batch <= 10; ++batch) {
    ASSERT_TRUE(journal.Append("a", Planned(batch, 20 << 10), results[batch - 1].done()).ok());
  }
  ASSERT_TRUE(Eventually([&] { return !journal.problem("a").empty(); }));
  EXPECT_THAT(journal.problem("a"), HasSubstr("No space left on device"));
  EXPECT_THAT(journal.problem("a"), HasSubstr(disk / "a/journal"));
  EXPECT_FALSE(results.back().ready());
  EXPECT_GT(journal.queued_bytes("a"), 20u << 10);
  disk.Release();
  for (auto& result : results) EXPECT_TRUE(result.get().ok());
  EXPECT_EQ(journal.problem("a"), "");
  EXPECT_EQ(journal.queued_bytes(), 0u);
  ExpectContiguous(disk / "a", 10);
}

TEST(Journal, WaitsForSpaceForANewJobAndForACompaction) {
  SmallDisk disk(512 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  JournalService journal({.retry_delay = milliseconds(5)});
  ASSERT_TRUE(journal.OpenJob("a", disk / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
  disk.Fill(32 << 10);
  Result fresh, compacted, after;
  ASSERT_TRUE(journal.OpenJob("b", disk / "b").ok());
  ASSERT_TRUE(journal.Append("b", SnapshotRecord(0, 64 << 10), fresh.done()).ok());
  ASSERT_TRUE(journal.Rewrite("a", SnapshotRecord(7, 64 << 10).snapshot(), compacted.done()).ok());
  ASSERT_TRUE(journal.Append("a", Planned(8), after.done()).ok());
  ASSERT_TRUE(Eventually([&] { return !journal.problem("a").empty() && !journal.problem("b").empty(); }));
  EXPECT_FALSE(std::filesystem::exists(disk / "b/journal")) << "half a first record never gets the name";
  ExpectContiguous(disk / "a", 0);
  disk.Release();
  EXPECT_TRUE(fresh.get().ok());
  EXPECT_TRUE(compacted.get().ok());
  EXPECT_TRUE(after.get().ok());
  ExpectContiguous(disk / "a", 8);
  ExpectContiguous(disk / "b", 0);
}

TEST(Journal, StoppingOnAFullDiskSaysWhatIsNotDurable) {
  SmallDisk disk(256 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  Result lost;
  {
    JournalService journal({});
    ASSERT_TRUE(journal.OpenJob("a", disk / "a").ok());
    ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
    disk.Fill(16 << 10);
    ASSERT_TRUE(journal.Append("a", Planned(1, 64 << 10), lost.done()).ok());
  }
  EXPECT_TRUE(absl::IsUnavailable(lost.get()));
  ExpectContiguous(disk / "a", 0);
}

TEST(Journal, RemovesAJobEvenOnAFullDisk) {
  SmallDisk disk(256 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  JournalService journal({.retry_delay = std::chrono::hours(1)});
  ASSERT_TRUE(journal.OpenJob("a", disk / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
  disk.Fill(16 << 10);
  Result dropped, closed, removed;
  ASSERT_TRUE(journal.Append("a", Planned(1, 64 << 10), dropped.done()).ok());
  ASSERT_TRUE(Eventually([&] { return !journal.problem("a").empty(); }));
  ASSERT_TRUE(journal.CloseJob("a", closed.done()).ok());
  ASSERT_TRUE(journal.RemoveJob("a", removed.done()).ok()) << "a removal overtakes a close";
  EXPECT_TRUE(absl::IsNotFound(journal.RemoveJob("a")));
  EXPECT_TRUE(absl::IsAborted(dropped.get()));
  EXPECT_TRUE(closed.get().ok());
  EXPECT_TRUE(removed.get().ok());
  EXPECT_FALSE(std::filesystem::exists(disk / "a"));
  EXPECT_EQ(journal.queued_bytes(), 0u);
}

TEST(Journal, ClosesAfterWhatIsQueuedAndOpensAgain) {
  ScratchDirectory dir;
  JournalService journal({.lazy_delay = std::chrono::hours(1)});
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", SnapshotRecord(0)).ok());
  Result lazy, closed;
  ASSERT_TRUE(journal.Append("a", Planned(1), lazy.done(), Durability::kLazy).ok());
  ASSERT_TRUE(journal.CloseJob("a", closed.done()).ok());
  EXPECT_TRUE(absl::IsNotFound(journal.Append("a", Planned(2), nullptr)));
  EXPECT_TRUE(closed.get().ok());
  EXPECT_TRUE(lazy.ready());
  ASSERT_TRUE(journal.OpenJob("a", dir / "a").ok());
  ASSERT_TRUE(AppendAndWait(journal, "a", Planned(2)).ok());
  ExpectContiguous(dir / "a", 2);
}

}  // namespace
}  // namespace millrace
