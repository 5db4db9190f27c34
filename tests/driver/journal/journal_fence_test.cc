// Two drivers on one data directory: what the one before appends after the next has begun is not durable, and is not
// read.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <thread>

#include "driver/journal/epoch.h"
#include "driver/journal/journal.h"
#include "tests/common/eventually.h"
#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ScratchDirectory;
using v1::durable::JournalRecord;

JournalRecord SnapshotOf(std::uint64_t last_batch) {
  JournalRecord record;
  record.mutable_snapshot()->set_last_batch(last_batch);
  return record;
}
JournalRecord Planned(std::uint64_t batch) {
  JournalRecord record;
  record.mutable_planned()->set_batch(batch);
  return record;
}

// A driver's term with its journal of job "j".
class Term {
 public:
  explicit Term(const ScratchDirectory& dir, bool alone = false)
      : dir_(dir / "jobs/j"),
        term_(*(alone ? NextEpoch(dir.path()) : ClaimEpoch(dir.path(), "driver:1"))),
        journal_({.fence = {term_.epoch(), [this] { return term_.Check(); }},
                  .fence_look = std::chrono::milliseconds(20),
                  .on_fenced_out = [this](const absl::Status&) { ++fenced_out_; }}) {
    EXPECT_TRUE(journal_.OpenJob("j", dir_).ok());
  }

  absl::Status Append(const JournalRecord& record) {
    std::promise<absl::Status> promise;
    const absl::Status taken =
        journal_.Append("j", record, [&](absl::Status status) { promise.set_value(std::move(status)); });
    return taken.ok() ? promise.get_future().get() : taken;
  }
  std::uint64_t epoch() const { return term_.epoch(); }
  int fenced_out() const { return fenced_out_; }

 private:
  const std::string dir_;
  const DriverTerm term_;
  std::atomic<int> fenced_out_ = 0;
  JournalService journal_;
};

// The batches that a reader finds: the Snapshot's, then those planned.
std::vector<std::uint64_t> Read(const ScratchDirectory& dir) {
  const auto records = ReadJob(dir / "jobs/j");
  EXPECT_TRUE(records.ok()) << records.status();
  std::vector<std::uint64_t> batches;
  for (const JournalRecord& record : *records)
    batches.push_back(record.has_snapshot() ? record.snapshot().last_batch() : record.planned().batch());
  return batches;
}

std::vector<std::string> Journals(const ScratchDirectory& dir) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "jobs/j")) {
    if (entry.path().extension() != ".planned") names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

TEST(JournalFence, AppendsAfterAClaimAreNotDurable) {
  ScratchDirectory dir;
  Term old(dir);
  ASSERT_TRUE(old.Append(SnapshotOf(0)).ok());
  ASSERT_TRUE(old.Append(Planned(1)).ok());
  EXPECT_THAT(Journals(dir), ElementsAre("journal.1"));
  Term next(dir);
  const absl::Status late = old.Append(Planned(2));
  EXPECT_TRUE(absl::IsAborted(late));
  EXPECT_THAT(Message(late), HasSubstr("has begun term 2"));
  EXPECT_TRUE(absl::IsAborted(old.Append(Planned(3)))) << "for good";
  EXPECT_EQ(old.fenced_out(), 1);
  EXPECT_EQ(next.fenced_out(), 0);
}

TEST(JournalFence, ATermThatWritesNothingFindsOutToo) {
  ScratchDirectory dir;
  Term old(dir);
  Term next(dir);
  EXPECT_TRUE(Eventually([&] { return old.fenced_out() == 1; }));
  EXPECT_EQ(next.fenced_out(), 0);
}

TEST(JournalFence, TheNextTermWritesAFileOfItsOwn) {
  ScratchDirectory dir;
  Term old(dir);
  ASSERT_TRUE(old.Append(SnapshotOf(0)).ok());
  ASSERT_TRUE(old.Append(Planned(1)).ok());
  Term next(dir);
  EXPECT_THAT(Read(dir), ElementsAre(0, 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(Term(dir).Append(Planned(2)))) << "a term begins with a Snapshot";

  Term last(dir);
  ASSERT_TRUE(last.Append(SnapshotOf(1)).ok());
  EXPECT_THAT(Journals(dir), ElementsAre(Concat("journal.", last.epoch())));
  ASSERT_TRUE(last.Append(Planned(2)).ok());
  EXPECT_TRUE(absl::IsAborted(next.Append(SnapshotOf(77))));
  EXPECT_TRUE(absl::IsAborted(old.Append(Planned(77)))) << "into a file that is gone";
  EXPECT_THAT(Read(dir), ElementsAre(1, 2));
}

TEST(JournalFence, ATermThatIsOverMakesNoDirectory) {
  ScratchDirectory dir;
  Term old(dir);
  Term next(dir);
  EXPECT_TRUE(absl::IsAborted(old.Append(SnapshotOf(0))));
  EXPECT_FALSE(std::filesystem::exists(dir / "jobs/j")) << "the job may have ended and been removed meanwhile";
}

TEST(JournalFence, WhatADriverAloneWroteIsTakenOver) {
  ScratchDirectory dir;
  {
    JournalService alone({});
    ASSERT_TRUE(alone.OpenJob("j", dir / "jobs/j").ok());
    ASSERT_TRUE(alone.Append("j", SnapshotOf(4), nullptr).ok());
  }
  EXPECT_THAT(Journals(dir), ElementsAre("journal"));
  Term term(dir);
  EXPECT_THAT(Read(dir), ElementsAre(4));
  ASSERT_TRUE(term.Append(SnapshotOf(5)).ok());
  EXPECT_THAT(Journals(dir), ElementsAre("journal.1"));
  Term back(dir, true);
  ASSERT_TRUE(back.Append(SnapshotOf(6)).ok());
  EXPECT_THAT(Read(dir), ElementsAre(6));
}

TEST(JournalFence, AJobIsRemovedWithAllItsJournals) {
  ScratchDirectory dir;
  ASSERT_TRUE(MakeDirectories(dir / "jobs/j").ok());
  for (const char* name : {"journal", "journal.3", "journal.12", "journal.12.new"})
    ASSERT_TRUE(WriteFileAtomically(dir / "jobs/j" + "/" + name, "x").ok());
  EXPECT_EQ(*NewestJournal(dir / "jobs/j"), 12u);
  EXPECT_TRUE(RemoveJobDirectory(dir / "jobs/j").ok());
  EXPECT_FALSE(std::filesystem::exists(dir / "jobs/j"));
  EXPECT_TRUE(ListJobs(dir / "jobs")->empty());
}

// The proof of the order: while one driver writes as fast as it can, another begins a term and reads. Whatever was
// acknowledged to the first must be there, whenever the second came.
TEST(JournalFence, ANewTermReadsAllThatWasEverAcknowledged) {
  ScratchDirectory dir;
  auto writer = std::make_unique<Term>(dir);
  std::uint64_t acknowledged = 0;
  ASSERT_TRUE(writer->Append(SnapshotOf(0)).ok());
  for (int round = 0; round < 60; ++round) {
    std::atomic<bool> begun = false;
    std::uint64_t last = acknowledged;
    std::thread old([&] {
      for (std::uint64_t batch = last + 1;; ++batch) {
        if (!writer->Append(Planned(batch)).ok()) return;
        last = batch;
        begun = true;
      }
    });
    while (!begun) std::this_thread::yield();
    auto next = std::make_unique<Term>(dir);
    const std::vector<std::uint64_t> read = Read(dir);
    old.join();
    EXPECT_EQ(writer->fenced_out(), 1);
    ASSERT_GE(read.back(), last) << "round " << round << ": acknowledged, but not read by the next term";
    // What was written and not acknowledged may count or not: the reader has decided.
    acknowledged = read.back();
    ASSERT_TRUE(next->Append(SnapshotOf(acknowledged)).ok());
    writer = std::move(next);
  }
}

}  // namespace
}  // namespace millrace
