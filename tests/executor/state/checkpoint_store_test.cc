#include "executor/state/checkpoint_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "executor/state/posix_checkpoint_store.h"
#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
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

TEST(CheckpointStore, GivesBackWhatWasPut) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir / "a/b");
  ASSERT_TRUE(Write(*store, "j-1/s3-p2-17.delta", std::string(100'000, 'x')).ok());
  ASSERT_TRUE(Write(*store, "plain", "").ok());
  EXPECT_EQ(*ReadAll(*store, "j-1/s3-p2-17.delta"), std::string(100'000, 'x'));
  EXPECT_EQ(*ReadAll(*store, "plain"), "");
  EXPECT_TRUE(absl::IsNotFound(ReadAll(*store, "j-1/none").status()));
  EXPECT_EQ(FilesIn(dir / "a/b/.tmp"), 0u);
}

TEST(CheckpointStore, SeveralStoresShareAFolder) {
  ScratchDirectory dir;
  const auto one = OpenStore(dir.path());
  const auto two = OpenStore(dir.path());
  auto a = *one->Put("j/a");
  auto b = *two->Put("j/b");
  ASSERT_TRUE(a->Append("from one").ok());
  ASSERT_TRUE(b->Append("from two").ok());
  ASSERT_TRUE(a->Commit().ok());
  ASSERT_TRUE(b->Commit().ok());
  EXPECT_EQ(*ReadAll(*two, "j/a"), "from one");
  EXPECT_EQ(*ReadAll(*one, "j/b"), "from two");
}

TEST(CheckpointStore, IsSeenWhenItIsCommittedAndNotBefore) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  {
    auto writer = *store->Put("j/a");
    ASSERT_TRUE(writer->Append("half").ok());
    EXPECT_TRUE(absl::IsNotFound(store->Open("j/a").status()));
    EXPECT_THAT(*store->List(""), IsEmpty());
  }
  EXPECT_TRUE(absl::IsNotFound(store->Open("j/a").status()));
  EXPECT_EQ(FilesIn(dir / ".tmp"), 0u) << "nothing is left of a writer that was not committed";
}

TEST(CheckpointStore, ANameIsGivenOnce) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  ASSERT_TRUE(Write(*store, "j/a", "first").ok());
  const absl::Status again = Write(*store, "j/a", "second");
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
  EXPECT_EQ(*ReadAll(*store, "j/a"), "first");
  EXPECT_EQ(FilesIn(dir / ".tmp"), 0u);
}

TEST(CheckpointStore, ACommittedWriterTakesNoMore) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  auto writer = *store->Put("a");
  ASSERT_TRUE(writer->Append("x").ok());
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_FALSE(writer->Append("y").ok());
  EXPECT_FALSE(writer->Commit().ok());
  EXPECT_EQ(*ReadAll(*store, "a"), "x");
}

TEST(CheckpointStore, ListsByPrefixInOrder) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
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

TEST(CheckpointStore, DeletesFilesAndTheFoldersThatAreEmptyThen) {
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

TEST(CheckpointStore, RefusesNamesThatLeadElsewhere) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir / "store");
  for (const std::string name : {"", "/etc/x", "../x", "a/../b", "a//b", "a/", ".tmp/x", "a b", "a\n"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store->Put(name).status())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(store->Open(name).status())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(store->Delete(name))) << name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(store->Put(std::string(600, 'a')).status()));
  EXPECT_TRUE(CheckCheckpointName("j-1/s3-p2-b17-00ff-4.delta").ok());
}

TEST(CheckpointStore, RemovesTemporariesOfTheDeadADayLater) {
  ScratchDirectory dir;
  fs::create_directories(dir / ".tmp");
  std::ofstream(dir / ".tmp/old") << "half";
  std::ofstream(dir / ".tmp/new") << "half";
  fs::last_write_time(dir / ".tmp/old", fs::file_time_type::clock::now() - std::chrono::hours(25));
  const auto store = OpenStore(dir.path());
  EXPECT_FALSE(fs::exists(dir / ".tmp/old"));
  EXPECT_TRUE(fs::exists(dir / ".tmp/new")) << "another executor may be writing it";
}

TEST(CheckpointStore, SaysWhatStandsInTheWay) {
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

TEST(CheckpointStore, AFullDiskIsNamedAndNothingIsLeft) {
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

TEST(CheckpointStore, ManyThreadsWriteAndDelete) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string name = Concat("j/t", t, "-", i);
        ASSERT_TRUE(Write(*store, name, name).ok());
        ASSERT_EQ(*ReadAll(*store, name), name);
        ASSERT_TRUE(store->Delete(name).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(*store->List(""), IsEmpty());
}

}  // namespace
}  // namespace millrace
