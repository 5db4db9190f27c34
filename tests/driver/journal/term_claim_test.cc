#include "driver/journal/term_claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "common/io/file.h"
#include "driver/journal/epoch.h"
#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using testing::ScratchDirectory;
using testing::SmallDisk;

std::size_t FilesIn(const std::string& dir) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(dir), std::filesystem::directory_iterator()));
}

TEST(TermClaim, ANewTermEndsTheOneBefore) {
  ScratchDirectory dir;
  const auto first = TermClaim::Take(dir.path(), 0, "a:1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->number(), 1u);
  EXPECT_TRUE(first->Check().ok());
  const auto second = TermClaim::Take(dir.path(), 0, "b:2");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->number(), 2u);
  EXPECT_TRUE(second->Check().ok());
  EXPECT_TRUE(absl::IsAborted(first->Check()));
  EXPECT_EQ(Message(first->Check()), "term 1 is over: b:2 has begun term 2");
  EXPECT_EQ(FilesIn(dir / "terms"), 1u) << "nothing else is left";
}

TEST(TermClaim, TheSameOwnerIsAnotherTerm) {
  ScratchDirectory dir;
  const auto first = TermClaim::Take(dir.path(), 0, "a:1");
  const auto second = TermClaim::Take(dir.path(), 0, "a:1");
  EXPECT_TRUE(absl::IsAborted(first->Check()));
  EXPECT_TRUE(second->Check().ok());
}

TEST(TermClaim, IsLargerThanAnEpochOfOld) {
  ScratchDirectory dir;
  EXPECT_EQ(TermClaim::Take(dir.path(), 41, "a:1")->number(), 42u);
  EXPECT_EQ(TermClaim::Take(dir.path(), 7, "a:1")->number(), 43u);
}

TEST(TermClaim, ManyAtOnceGetDifferentNumbersAndOneStays) {
  ScratchDirectory dir;
  std::mutex mutex;
  std::vector<TermClaim> claims;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 20; ++j) {
        auto claim = TermClaim::Take(dir.path(), 0, Concat("driver-", i, ":7077"));
        if (!claim.ok()) {
          EXPECT_TRUE(absl::IsAborted(claim.status())) << claim.status();
          continue;
        }
        const std::lock_guard lock(mutex);
        claims.push_back(*std::move(claim));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::uint64_t> numbers;
  int valid = 0;
  for (const TermClaim& claim : claims) {
    EXPECT_TRUE(numbers.insert(claim.number()).second) << claim.number() << " was given twice";
    if (claim.Check().ok()) ++valid;
  }
  EXPECT_LE(valid, 1);
  if (valid == 1) {
    EXPECT_EQ(FilesIn(dir / "terms"), 1u);
  }
}

TEST(TermClaim, WhatCannotBeReadIsNotHeld) {
  ScratchDirectory dir;
  const auto claim = TermClaim::Take(dir.path(), 0, "a:1");
  ASSERT_TRUE(WriteFileAtomically(dir / "terms/1", "somebody else's\n").ok());
  EXPECT_TRUE(absl::IsAborted(claim->Check()));
  std::filesystem::remove_all(dir / "terms");
  EXPECT_FALSE(claim->Check().ok());
}

TEST(TermClaim, IsNotBegunOnAFullDisk) {
  SmallDisk disk(64 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  const auto first = TermClaim::Take(disk.path(), 0, "a:1");
  ASSERT_TRUE(first.ok()) << first.status();
  disk.Fill(0);
  EXPECT_TRUE(absl::IsResourceExhausted(TermClaim::Take(disk.path(), 0, "b:2").status()));
  EXPECT_TRUE(first->Check().ok()) << "nothing has happened";
  EXPECT_EQ(FilesIn(disk / "terms"), 1u);
}

TEST(Epoch, ADriverAloneAndSeveralKnowOfEachOther) {
  ScratchDirectory dir;
  EXPECT_EQ(NextEpoch(dir.path())->epoch(), 1u);
  EXPECT_EQ(NextEpoch(dir.path())->epoch(), 2u);
  EXPECT_FALSE(NextEpoch(dir.path())->fenced());
  const auto several = ClaimEpoch(dir.path(), "a:1");
  ASSERT_TRUE(several.ok()) << several.status();
  EXPECT_EQ(several->epoch(), 4u);
  EXPECT_TRUE(several->fenced());
  const auto alone = NextEpoch(dir.path());
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(alone->epoch(), 5u);
  EXPECT_TRUE(alone->fenced()) << "one that was forgotten may still run";
  EXPECT_THAT(Message(several->Check()), HasSubstr("has begun term 5"));
}

}  // namespace
}  // namespace millrace
