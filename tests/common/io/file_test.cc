#include "common/io/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using testing::ScratchDirectory;
using testing::SmallDisk;

TEST(File, WritesAtomicallyAndReadsBack) {
  ScratchDirectory dir;
  const std::string path = dir / "value";
  ASSERT_TRUE(WriteFileAtomically(path, "first").ok());
  ASSERT_TRUE(WriteFileAtomically(path, std::string(100000, 'x')).ok());
  EXPECT_EQ(ReadFile(path)->size(), 100000u);
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(File, ReadsFilesWhoseSizeIsNotKnownBefore) { EXPECT_FALSE(ReadFile("/proc/self/status")->empty()); }

TEST(File, RefusesAFileThatIsLongerThanAllowed) {
  ScratchDirectory dir;
  ASSERT_TRUE(WriteFileAtomically(dir / "f", "12345").ok());
  EXPECT_EQ(*ReadFile(dir / "f", 5), "12345");
  const auto refused = ReadFile(dir / "f", 4);
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status()));
  EXPECT_THAT(Message(refused.status()), HasSubstr(dir / "f"));
}

TEST(File, ErrorsNamePathAndReason) {
  ScratchDirectory dir;
  const auto missing = ReadFile(dir / "none");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_EQ(Message(missing.status()), "cannot open " + (dir / "none") + ": No such file or directory");
  EXPECT_TRUE(absl::IsNotFound(WriteFileAtomically(dir / "no/such", "x")));
  EXPECT_TRUE(RemoveFile(dir / "none").ok());
}

TEST(File, MakesDirectoriesWithTheirParents) {
  ScratchDirectory dir;
  ASSERT_TRUE(MakeDirectories(dir / "a/b/c").ok());
  ASSERT_TRUE(MakeDirectories(dir / "a/b/c/").ok());
  EXPECT_TRUE(std::filesystem::is_directory(dir / "a/b/c"));
  ASSERT_TRUE(WriteFileAtomically(dir / "file", "").ok());
  EXPECT_FALSE(MakeDirectories(dir / "file").ok());
  EXPECT_FALSE(MakeDirectories(dir / "file/below").ok());
}

TEST(File, FindsParents) {
  EXPECT_EQ(ParentDirectory("/a/b"), "/a");
  EXPECT_EQ(ParentDirectory("/a//b/"), "/a");
  EXPECT_EQ(ParentDirectory("/a"), "/");
  EXPECT_EQ(ParentDirectory("/"), "/");
  EXPECT_EQ(ParentDirectory("a"), ".");
  EXPECT_EQ(ParentDirectory(""), ".");
}

TEST(File, AFullDiskLeavesTheOldContent) {
  SmallDisk disk(256 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  ASSERT_TRUE(WriteFileAtomically(disk / "f", "old").ok());
  const absl::Status status = WriteFileAtomically(disk / "f", std::string(1 << 20, 'x'));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("No space left on device"));
  EXPECT_EQ(*ReadFile(disk / "f"), "old");
  EXPECT_FALSE(std::filesystem::exists(disk / "f.tmp"));
}

TEST(Fd, ClosesOnceAndMoves) {
  ScratchDirectory dir;
  auto opened = OpenFile(dir / "f", O_RDWR | O_CREAT);
  ASSERT_TRUE(opened.ok());
  Fd first = std::move(*opened);
  const int number = first.get();
  Fd second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): what a moved-from Fd is, is the point
  EXPECT_EQ(second.get(), number);
  second.Reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace millrace
