// What every kind of checkpoint store must do, over a folder and over a bucket of a real S3 server alike; then what is
// a folder's own, and what is a bucket's.
#include "executor/state/checkpoint_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "executor/state/checkpoint_sweep.h"
#include "executor/state/open_checkpoint_store.h"
#include "executor/state/posix_checkpoint_store.h"
#include "executor/state/state_file.h"
#include "tests/common/io/scratch.h"
#include "tests/common/object_store/s3_server.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::S3Server;
using testing::ScratchDirectory;
using testing::SmallDisk;

std::unique_ptr<CheckpointStore> OpenStore(const std::string& root) {
  auto store = PosixCheckpointStore::Make({.root = root});
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

absl::Status Write(CheckpointStore& store, const std::string& name, std::string_view data) {
  MR_ASSIGN_OR_RETURN(auto writer, store.Put(name));
  MR_RETURN_IF_ERROR(writer->Append(data));
  return writer->Commit();
}

absl::StatusOr<std::string> ReadAll(CheckpointStore& store, const std::string& name) {
  MR_ASSIGN_OR_RETURN(auto reader, store.Open(name));
  std::string data;
  char part[1000];
  while (true) {
    MR_ASSIGN_OR_RETURN(const std::size_t n, reader->Read(part));
    if (n == 0) return data;
    data.append(part, n);
  }
}

std::size_t FilesIn(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

class CheckpointStoreTest : public ::testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() { server_ = S3Server::Start().release(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (on_s3() && server_ == nullptr) GTEST_SKIP() << S3Server::kMissing;
    static int tests = 0;
    prefix_ = Concat("test-", ++tests);
  }

  bool on_s3() const { return GetParam() == std::string_view("s3"); }
  std::shared_ptr<CheckpointStore> Open() {
    CheckpointPlace place{dir_ / "store", {}};
    if (on_s3()) place = {Concat("s3://test/", prefix_), server_->options()};
    auto store = OpenCheckpointStore(place);
    EXPECT_TRUE(store.ok()) << store.status();
    return *store;
  }
  // Of writers that were not committed.
  std::size_t Leftovers() {
    if (!on_s3()) return FilesIn(dir_ / "store/.tmp");
    return (*S3Client::Make(server_->options()))->ListUploads("test", prefix_)->size();
  }

  static S3Server* server_;
  ScratchDirectory dir_;
  std::string prefix_;
};
S3Server* CheckpointStoreTest::server_ = nullptr;

INSTANTIATE_TEST_SUITE_P(Over, CheckpointStoreTest, ::testing::Values("posix", "s3"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(CheckpointStoreTest, GivesBackWhatWasPut) {
  const auto store = Open();
  ASSERT_TRUE(Write(*store, "j-1/s3-p2-17.delta", std::string(100'000, 'x')).ok());
  ASSERT_TRUE(Write(*store, "plain", "").ok());
  EXPECT_EQ(*ReadAll(*store, "j-1/s3-p2-17.delta"), std::string(100'000, 'x'));
  EXPECT_EQ(*ReadAll(*store, "plain"), "");
  EXPECT_TRUE(absl::IsNotFound(ReadAll(*store, "j-1/none").status()));
  EXPECT_EQ(Leftovers(), 0u);
}

TEST_P(CheckpointStoreTest, SeveralStoresShareAPlace) {
  const auto one = Open();
  const auto two = Open();
  auto a = *one->Put("j/a");
  auto b = *two->Put("j/b");
  ASSERT_TRUE(a->Append("from one").ok());
  ASSERT_TRUE(b->Append("from two").ok());
  ASSERT_TRUE(a->Commit().ok());
  ASSERT_TRUE(b->Commit().ok());
  EXPECT_EQ(*ReadAll(*two, "j/a"), "from one");
  EXPECT_EQ(*ReadAll(*one, "j/b"), "from two");
}

TEST_P(CheckpointStoreTest, IsSeenWhenItIsCommittedAndNotBefore) {
  const auto store = Open();
  {
    auto writer = *store->Put("j/a");
    ASSERT_TRUE(writer->Append("half").ok());
    EXPECT_TRUE(absl::IsNotFound(store->Open("j/a").status()));
    EXPECT_THAT(*store->List(""), IsEmpty());
  }
  EXPECT_TRUE(absl::IsNotFound(store->Open("j/a").status()));
  EXPECT_EQ(Leftovers(), 0u);
}

TEST_P(CheckpointStoreTest, ANameIsGivenOnce) {
  const auto store = Open();
  ASSERT_TRUE(Write(*store, "j/a", "first").ok());
  const absl::Status again = Write(*store, "j/a", "second");
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
  EXPECT_EQ(*ReadAll(*store, "j/a"), "first");
  EXPECT_EQ(Leftovers(), 0u);
}

TEST_P(CheckpointStoreTest, ACommittedWriterTakesNoMore) {
  const auto store = Open();
  auto writer = *store->Put("a");
  ASSERT_TRUE(writer->Append("x").ok());
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_FALSE(writer->Append("y").ok());
  EXPECT_FALSE(writer->Commit().ok());
  EXPECT_EQ(*ReadAll(*store, "a"), "x");
}

TEST_P(CheckpointStoreTest, ListsByPrefixInOrder) {
  const auto store = Open();
  for (const char* name : {"j-1/s2-a", "j-1/s1-b", "j-10/s1-a", "j-1/deep/er/x", "top"}) {
    ASSERT_TRUE(Write(*store, name, name).ok());
  }
  auto half = *store->Put("j-1/half");
  ASSERT_TRUE(half->Append("half").ok());
  EXPECT_THAT(*store->List("j-1/"), ElementsAre(CheckpointEntry{"j-1/deep/er/x", 13}, CheckpointEntry{"j-1/s1-b", 8},
                                                CheckpointEntry{"j-1/s2-a", 8}));
  EXPECT_THAT(*store->List("j-1/s"), ElementsAre(CheckpointEntry{"j-1/s1-b", 8}, CheckpointEntry{"j-1/s2-a", 8}));
  EXPECT_THAT(*store->List("j-1/deep/er"), ElementsAre(CheckpointEntry{"j-1/deep/er/x", 13}));
  EXPECT_EQ(store->List("")->size(), 5u);
  EXPECT_THAT(*store->List("none/"), IsEmpty());
}

TEST_P(CheckpointStoreTest, RefusesNamesThatLeadElsewhere) {
  const auto store = Open();
  for (const std::string name : {"", "/etc/x", "../x", "a/../b", "a//b", "a/", ".tmp/x", "a b", "a\n"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store->Put(name).status())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(store->Open(name).status())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(store->Delete(name))) << name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(store->Put(std::string(600, 'a')).status()));
  EXPECT_TRUE(CheckCheckpointName("j-1/s3-p2-b17-00ff-4.delta").ok());
}

TEST_P(CheckpointStoreTest, ManyThreadsWriteAndDelete) {
  const auto store = Open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string name = Concat("j/t", t, "-", i);
        const absl::Status written = Write(*store, name, name);
        ASSERT_TRUE(written.ok()) << written;
        ASSERT_EQ(*ReadAll(*store, name), name);
        ASSERT_TRUE(store->Delete(name).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(*store->List(""), IsEmpty());
}

TEST_P(CheckpointStoreTest, HoldsLargeFiles) {
  const auto store = Open();
  std::string data(std::size_t{20} << 20, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>((i * 2654435761U) >> 13);
  auto writer = *store->Put("j/large");
  for (std::size_t at = 0; at < data.size(); at += 65'000)
    ASSERT_TRUE(writer->Append(std::string_view(data).substr(at, 65'000)).ok());
  EXPECT_TRUE(absl::IsNotFound(store->Open("j/large").status()));
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_TRUE(*ReadAll(*store, "j/large") == data);
  EXPECT_EQ(Leftovers(), 0u);
}

TEST_P(CheckpointStoreTest, AWriterOfALargeFileThatIsDroppedLeavesNothing) {
  const auto store = Open();
  {
    auto writer = *store->Put("j/large");
    ASSERT_TRUE(writer->Append(std::string(std::size_t{9} << 20, 'x')).ok());
    EXPECT_EQ(Leftovers(), 1u);
  }
  EXPECT_EQ(Leftovers(), 0u);
  EXPECT_THAT(*store->List(""), IsEmpty());
}

TEST_P(CheckpointStoreTest, OfTwoWritersOfOneLargeFileOneWins) {
  const auto store = Open();
  const std::string one(std::size_t{9} << 20, '1'), two(std::size_t{9} << 20, '2');
  auto first = *store->Put("j/race"), second = *store->Put("j/race");
  ASSERT_TRUE(first->Append(one).ok());
  ASSERT_TRUE(second->Append(two).ok());
  ASSERT_TRUE(second->Commit().ok());
  EXPECT_TRUE(absl::IsAlreadyExists(first->Commit()));
  EXPECT_TRUE(*ReadAll(*store, "j/race") == two);
  EXPECT_EQ(Leftovers(), 0u);
}

TEST_P(CheckpointStoreTest, DeletesFiles) {
  const auto store = Open();
  ASSERT_TRUE(Write(*store, "j/x/a", "1").ok());
  ASSERT_TRUE(Write(*store, "j/b", "2").ok());
  ASSERT_TRUE(store->Delete("j/x/a").ok());
  EXPECT_TRUE(store->Delete("j/x/a").ok()) << "what is not there is no error";
  EXPECT_THAT(*store->List(""), ElementsAre(CheckpointEntry{"j/b", 1}));
  EXPECT_TRUE(absl::IsNotFound(store->Open("j/x/a").status()));
}

TEST_P(CheckpointStoreTest, WhatIsBeingWrittenIsNotAbandoned) {
  const auto store = Open();
  auto writer = *store->Put("j/large");
  ASSERT_TRUE(writer->Append(std::string(std::size_t{9} << 20, 'x')).ok());
  ASSERT_TRUE(store->RemoveAbandoned().ok());
  EXPECT_TRUE(writer->Commit().ok());
}

TEST_P(CheckpointStoreTest, IsSweptOfWhatNobodyNeeds) {
  const auto store = Open();
  for (const char* name : {"j-1/s1-p0-b4-aa-1.base", "j-1/s1-p0-b6-aa-2.delta", "j-1/s1-p1-b6-bb-1.delta",
                           "j-1/s1-p0-b7-aa-3.delta", "j-1/notes", "j-10/s1-p0-b1-aa-1.base"}) {
    ASSERT_TRUE(Write(*store, name, "12345").ok());
  }
  const auto swept = SweepCheckpoints(*store, {"j-1", 6, {"j-1/s1-p0-b4-aa-1.base"}});
  ASSERT_TRUE(swept.ok()) << swept.status();
  EXPECT_EQ(swept->files, 2u);
  EXPECT_EQ(swept->bytes, 10u);
  EXPECT_THAT(
      *store->List(""),
      ElementsAre(CheckpointEntry{"j-1/notes", 5}, CheckpointEntry{"j-1/s1-p0-b4-aa-1.base", 5},
                  CheckpointEntry{"j-1/s1-p0-b7-aa-3.delta", 5}, CheckpointEntry{"j-10/s1-p0-b1-aa-1.base", 5}));
  EXPECT_EQ(SweepCheckpoints(*store, {"j-1", UINT64_MAX, {}})->files, 2u);
  EXPECT_EQ(SweepCheckpoints(*store, {"j-2", UINT64_MAX, {}})->files, 0u);
  EXPECT_FALSE(SweepCheckpoints(*store, {"", UINT64_MAX, {}}).ok());
  EXPECT_FALSE(SweepCheckpoints(*store, {"../j-10", UINT64_MAX, {}}).ok());
}

TEST_P(CheckpointStoreTest, HoldsStateFiles) {
  const auto store = Open();
  auto writer = *StateFileWriter::Make(*store, "j/state");
  for (int i = 0; i < 50'000; ++i) ASSERT_TRUE(writer->Add(Concat("key-", 100'000 + i), std::string(20, 'v')).ok());
  const auto totals = writer->Finish();
  ASSERT_TRUE(totals.ok()) << totals.status();
  auto reader = *StateFileReader::Open(*store, "j/state");
  int n = 0;
  while (*reader->Next()) EXPECT_EQ(reader->key(), Concat("key-", 100'000 + n++));
  EXPECT_EQ(n, 50'000);
  EXPECT_EQ(reader->totals(), *totals);
}

TEST(PosixCheckpointStore, DeletesFilesAndTheFoldersThatAreEmptyThen) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  ASSERT_TRUE(Write(*store, "j/x/a", "1").ok());
  ASSERT_TRUE(Write(*store, "j/b", "2").ok());
  auto late = *store->Put("j/x/late");
  ASSERT_TRUE(store->Delete("j/x/a").ok());
  EXPECT_FALSE(fs::exists(dir / "j/x"));
  EXPECT_TRUE(fs::exists(dir / "j/b"));
  EXPECT_TRUE(store->Delete("j/x/a").ok()) << "what is not there is no error";
  EXPECT_TRUE(late->Commit().ok()) << "the folder is made again";
  ASSERT_TRUE(store->Delete("j/x/late").ok());
  ASSERT_TRUE(store->Delete("j/b").ok());
  EXPECT_FALSE(fs::exists(dir / "j"));
}

TEST(PosixCheckpointStore, RemovesTemporariesOfTheDeadADayLater) {
  ScratchDirectory dir;
  fs::create_directories(dir / ".tmp");
  std::ofstream(dir / ".tmp/old") << "half";
  std::ofstream(dir / ".tmp/new") << "half";
  fs::last_write_time(dir / ".tmp/old", fs::file_time_type::clock::now() - std::chrono::hours(25));
  const auto store = OpenStore(dir.path());
  ASSERT_TRUE(store->RemoveAbandoned().ok());
  EXPECT_FALSE(fs::exists(dir / ".tmp/old"));
  EXPECT_TRUE(fs::exists(dir / ".tmp/new")) << "another executor may be writing it";
}

TEST(PosixCheckpointStore, SaysWhatStandsInTheWay) {
  ScratchDirectory dir;
  std::ofstream(dir / "file") << "not a folder";
  const auto in_file = PosixCheckpointStore::Make({.root = dir / "file"});
  ASSERT_FALSE(in_file.ok());
  EXPECT_THAT(Message(in_file.status()), HasSubstr(dir / "file"));

  const auto store = OpenStore(dir.path());
  const absl::Status status = Write(*store, "file/a", "x");
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(Message(status), HasSubstr(dir / "file"));
  EXPECT_EQ(FilesIn(dir / ".tmp"), 0u);
}

TEST(PosixCheckpointStore, AFullDiskIsNamedAndNothingIsLeft) {
  SmallDisk disk(std::size_t{1} << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  const auto store = OpenStore(disk / "checkpoints");
  ASSERT_TRUE(Write(*store, "j/before", "good").ok());
  {
    auto writer = *store->Put("j/big");
    absl::Status status;
    for (int i = 0; status.ok() && i < 100; ++i) status = writer->Append(std::string(64 << 10, 'x'));
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr("j/big"));
    EXPECT_EQ(FilesIn(disk / "checkpoints/.tmp"), 0u) << "the room is given back at once";
    EXPECT_TRUE(absl::IsResourceExhausted(writer->Commit()));
  }
  EXPECT_THAT(*store->List(""), ElementsAre(CheckpointEntry{"j/before", 4}));
  EXPECT_TRUE(Write(*store, "j/after", "good").ok());
}

TEST(CheckpointSweep, ReadsTheBatchInAName) {
  EXPECT_EQ(BatchOfStateFile("j-1/s1-p0-b17-00ff-4.delta"), 17u);
  EXPECT_EQ(BatchOfStateFile("j-1/s12-p345-b18446744073709551615-x-4.base"), UINT64_MAX);
  for (const char* name : {"", "s1-p0-b17-x-4.delta", "j/s1-p0-b17-x-4.tmp", "j/s1-p0-b-x.delta", "j/s1-p0-b17.delta",
                           "j/p0-b17-x.delta", "j/s1-p0-c17-x.delta", "j/s1-p0-b18446744073709551616-x.base"}) {
    EXPECT_EQ(BatchOfStateFile(name), std::nullopt) << name;
  }
}

TEST(S3CheckpointStore, SaysWhatIsWrongInItsConfiguration) {
  S3Options options;
  options.credentials_file = "/nowhere/credentials";
  const auto no_file = OpenCheckpointStore({"s3://bucket/x", options});
  EXPECT_THAT(Message(no_file.status()), HasSubstr("/nowhere/credentials"));
  EXPECT_TRUE(absl::IsInvalidArgument(OpenCheckpointStore({"s3://Not A Bucket", options}).status()));
  options.endpoint = "host:9000";
  EXPECT_TRUE(absl::IsInvalidArgument(OpenCheckpointStore({"s3://bucket/x", options}).status()));
}

}  // namespace
}  // namespace millrace
