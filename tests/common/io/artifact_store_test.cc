#include "common/io/artifact_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using testing::ScratchDirectory;
using testing::SmallDisk;

std::string HashOf(std::string_view data) {
  Sha256 hash;
  hash.Update(data);
  return hash.Finish();
}

std::size_t FileCount(const std::string& dir) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(dir), {}));
}

TEST(Sha256, MatchesTheStandardsExample) {
  EXPECT_EQ(ToHex(HashOf("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  hash.Update("a");
  Sha256 moved = std::move(hash);
  moved.Update("bc");
  EXPECT_EQ(moved.Finish(), HashOf("abc"));
}

TEST(ArtifactStore, KeepsACompleteUploadUnderItsHash) {
  ScratchDirectory dir;
  auto store = ArtifactStore::Open(dir / "artifacts");
  ASSERT_TRUE(store.ok()) << store.status();
  const std::string data(100000, 'd');
  auto upload = store->Begin(data.size(), HashOf(data));
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_TRUE(upload->Append(std::string_view(data).substr(0, 70000)).ok());
  ASSERT_TRUE(upload->Append(std::string_view(data).substr(70000)).ok());
  EXPECT_FALSE(store->Has(HashOf(data)));
  ASSERT_TRUE(upload->Finish().ok());
  EXPECT_FALSE(upload->Finish().ok());
  EXPECT_FALSE(upload->Append("x").ok());
  EXPECT_TRUE(store->Has(HashOf(data)));
  EXPECT_EQ(*ReadFile(store->Path(HashOf(data))), data);
  EXPECT_EQ(store->Path(HashOf(data)), (dir / "artifacts/") + ToHex(HashOf(data)));
  EXPECT_TRUE(store->Verify(HashOf(data)).ok());
  ASSERT_TRUE(store->Remove(HashOf(data)).ok());
  ASSERT_TRUE(store->Remove(HashOf(data)).ok());
  EXPECT_FALSE(store->Has(HashOf(data)));
}

TEST(ArtifactStore, RefusesWhatWasNotAnnounced) {
  ScratchDirectory dir;
  auto store = ArtifactStore::Open(dir.path());
  {
    auto upload = store->Begin(4, HashOf("data"));
    ASSERT_TRUE(upload->Append("dat").ok());
    EXPECT_THAT(Message(upload->Append("aX")), HasSubstr("more than the 4 bytes"));
    EXPECT_TRUE(absl::IsInvalidArgument(upload->Finish())) << "the first error stays";
    EXPECT_EQ(FileCount(dir.path()), 0u);
  }
  {
    auto upload = store->Begin(4, HashOf("data"));
    ASSERT_TRUE(upload->Append("dat").ok());
    const absl::Status status = upload->Finish();
    EXPECT_TRUE(absl::IsDataLoss(status));
    EXPECT_THAT(Message(status), HasSubstr("upload ended after 3 of 4 bytes"));
    EXPECT_EQ(FileCount(dir.path()), 0u);
  }
  {
    auto upload = store->Begin(4, HashOf("data"));
    ASSERT_TRUE(upload->Append("dato").ok());
    const absl::Status status = upload->Finish();
    EXPECT_TRUE(absl::IsDataLoss(status));
    EXPECT_THAT(Message(status), HasSubstr(ToHex(HashOf("data"))));
    EXPECT_EQ(FileCount(dir.path()), 0u);
  }
  EXPECT_TRUE(absl::IsInvalidArgument(store->Begin(4, "../../etc/passwd").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store->Begin(0, HashOf("")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store->Begin(kMaxArtifactBytes + 1, HashOf("")).status()));
  EXPECT_FALSE(store->Has("short"));
}

TEST(ArtifactStore, RemovesWhatIsUnfinished) {
  ScratchDirectory dir;
  auto store = ArtifactStore::Open(dir.path());
  {
    auto upload = store->Begin(4, HashOf("data"));
    ASSERT_TRUE(upload->Append("da").ok());
    EXPECT_EQ(FileCount(dir.path()), 1u);
  }
  EXPECT_EQ(FileCount(dir.path()), 0u);
  std::ofstream(dir / "upload-1-2.part") << "of a process that crashed";
  ASSERT_TRUE(ArtifactStore::Open(dir.path()).ok());
  EXPECT_EQ(FileCount(dir.path()), 0u);
}

TEST(ArtifactStore, TwoUploadsOfOneArtifactDoNotDisturbEachOther) {
  ScratchDirectory dir;
  auto store = ArtifactStore::Open(dir.path());
  auto first = store->Begin(4, HashOf("data"));
  auto second = store->Begin(4, HashOf("data"));
  ASSERT_TRUE(first->Append("da").ok());
  ASSERT_TRUE(second->Append("data").ok());
  ASSERT_TRUE(second->Finish().ok());
  ASSERT_TRUE(first->Append("ta").ok());
  ASSERT_TRUE(first->Finish().ok());
  EXPECT_TRUE(store->Verify(HashOf("data")).ok());
  EXPECT_EQ(FileCount(dir.path()), 1u);
}

TEST(ArtifactStore, FindsDamage) {
  ScratchDirectory dir;
  auto store = ArtifactStore::Open(dir.path());
  auto upload = store->Begin(4, HashOf("data"));
  ASSERT_TRUE(upload->Append("data").ok());
  ASSERT_TRUE(upload->Finish().ok());
  std::ofstream(store->Path(HashOf("data")), std::ios::binary) << "dota";
  EXPECT_TRUE(absl::IsDataLoss(store->Verify(HashOf("data"))));
  EXPECT_TRUE(absl::IsNotFound(store->Verify(HashOf("other"))));
}

TEST(ArtifactStore, AFullDiskIsReportedAndLeavesNothing) {
  SmallDisk disk(256 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  auto store = ArtifactStore::Open(disk.path());
  const std::string data(1 << 20, 'd');
  auto upload = store->Begin(data.size(), HashOf(data));
  ASSERT_TRUE(upload.ok());
  const absl::Status status = upload->Append(data);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr(disk.path()));
  EXPECT_EQ(FileCount(disk.path()), 0u);
}

}  // namespace
}  // namespace millrace
