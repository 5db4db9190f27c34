#include <gmock/gmock.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/connectors/collect.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SinkPartition Partition(std::uint64_t version = 1, std::string sink = "out") {
  SinkPartition partition;
  partition.job_id = "j1";
  partition.sink = std::move(sink);
  partition.stage = 1;
  partition.partition = 2;
  partition.epoch = 1;
  partition.version = version;
  return partition;
}

class FilesSink : public testing::Test {
 protected:
  FilesSink() {
    std::string name = (fs::temp_directory_path() / "millrace-sink-XXXXXX").string();
    root_ = mkdtemp(name.data());
    directory_ = root_ / "deep" / "out";
  }
  ~FilesSink() override { fs::remove_all(root_); }

  std::unique_ptr<SinkWriter> Writer(const SinkPartition& partition) {
    auto sink = MakeSink(Describe("files", {{"directory", directory_.string()}}));
    EXPECT_TRUE(sink.ok()) << sink.status();
    return std::move(*(*sink)->NewWriter(partition));
  }
  static RowBuffer Rows(const std::vector<std::string>& values) {
    RowBuffer rows;
    for (const std::string& value : values) {
      const engine::SinkRow row{"", value, false};
      rows.Append({&row, 1});
    }
    return rows;
  }
  std::vector<std::string> List(const fs::path& path) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<std::string> Staged() const {
    std::vector<std::string> names = List(directory_ / ".staging");
    std::erase_if(names, [](const std::string& name) { return !name.ends_with(".tmp"); });
    return names;
  }
  std::string Text(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(directory_ / name).rdbuf();
    return text.str();
  }

  fs::path root_;
  fs::path directory_;
};

TEST_F(FilesSink, CommitMakesOneFileAndTheMark) {
  auto writer = Writer(Partition());
  EXPECT_EQ(*writer->Open(), 0u);
  RowBuffer rows = Rows({"one", ""});
  const engine::SinkRow keyed{"k", "v", true};
  rows.Append({&keyed, 1});
  ASSERT_TRUE(writer->Stage(7, 0, rows).ok());
  EXPECT_THAT(List(directory_), ElementsAre(".staging"));
  ASSERT_TRUE(writer->Commit(7).ok());
  EXPECT_THAT(List(directory_), ElementsAre(".staging", "out-1-2-000000000007.txt"));
  EXPECT_EQ(Text("out-1-2-000000000007.txt"), "one\n\nk\tv\n");
  EXPECT_THAT(Staged(), IsEmpty());
  EXPECT_EQ(*Writer(Partition(2))->Open(), 7u);
}

TEST_F(FilesSink, ABatchWithoutRowsLeavesTheMark) {
  auto writer = Writer(Partition());
  ASSERT_TRUE(writer->Open().ok());
  ASSERT_TRUE(writer->Stage(1, 0, RowBuffer()).ok());
  ASSERT_TRUE(writer->Commit(1).ok());
  EXPECT_THAT(List(directory_), ElementsAre(".staging"));
  EXPECT_EQ(*Writer(Partition(2))->Open(), 0u);
}

TEST_F(FilesSink, CommittingABatchAgainChangesNothing) {
  auto first = Writer(Partition(1));
  ASSERT_TRUE(first->Open().ok());
  ASSERT_TRUE(first->Stage(3, 0, Rows({"first"})).ok());
  ASSERT_TRUE(first->Commit(3).ok());
  ASSERT_TRUE(first->Stage(3, 0, Rows({"second"})).ok());
  ASSERT_TRUE(first->Commit(3).ok());
  EXPECT_EQ(Text("out-1-2-000000000003.txt"), "first\n");
  EXPECT_THAT(Staged(), IsEmpty());
}

TEST_F(FilesSink, OpenRemovesWhatACrashLeftOfThisPartitionAlone) {
  auto crashed = Writer(Partition(1));
  ASSERT_TRUE(crashed->Open().ok());
  ASSERT_TRUE(crashed->Stage(4, 0, Rows({"half"})).ok());
  auto neighbour = Writer(Partition(1, "out-1"));  // files "out-1-1-2-…"
  ASSERT_TRUE(neighbour->Open().ok());
  ASSERT_TRUE(neighbour->Stage(4, 0, Rows({"theirs"})).ok());
  SinkPartition other = Partition(1, "out-1-2");
  other.stage = 3;
  auto lookalike = Writer(other);  // files "out-1-2-3-2-…" begin like ours
  ASSERT_TRUE(lookalike->Open().ok());
  ASSERT_TRUE(lookalike->Stage(4, 0, Rows({"theirs"})).ok());
  EXPECT_EQ(Staged().size(), 3u);

  auto next = Writer(Partition(2));
  EXPECT_EQ(*next->Open(), 0u);
  EXPECT_THAT(Staged(), ElementsAre("out-1-1-2-000000000004.txt.1.1.tmp", "out-1-2-3-2-000000000004.txt.1.1.tmp"));
  // The one that was thought dead finds itself fenced.
  EXPECT_EQ(crashed->Commit(4).code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(neighbour->Commit(4).ok());
  EXPECT_TRUE(lookalike->Commit(4).ok());
  EXPECT_EQ(*Writer(Partition(3))->Open(), 0u);
}

TEST_F(FilesSink, AnotherJobsDirectoryIsRefused) {
  auto writer = Writer(Partition());
  ASSERT_TRUE(writer->Open().ok());
  SinkPartition stranger = Partition();
  stranger.job_id = "j2";
  auto opened = Writer(stranger)->Open();
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(ErrorOf(opened), HasSubstr("holds the output that job j1 made with sink 'out'; give job j2 a directory"));
}

TEST_F(FilesSink, OddSinkNamesBecomeFileNames) {
  auto writer = Writer(Partition(1, "../a b/\xC3\xA9"));
  ASSERT_TRUE(writer->Open().ok());
  ASSERT_TRUE(writer->Stage(1, 0, Rows({"x"})).ok());
  ASSERT_TRUE(writer->Commit(1).ok());
  EXPECT_THAT(List(directory_), ElementsAre("%2E.%2Fa%20b%2F%C3%A9-1-2-000000000001.txt", ".staging"));
}

TEST_F(FilesSink, AFullDiskIsNamedAndLeavesNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount a small file system";
  fs::create_directories(directory_);
  if (mount("none", directory_.c_str(), "tmpfs", 0, "size=256k") != 0) GTEST_SKIP() << "cannot mount here";
  auto writer = Writer(Partition());
  ASSERT_TRUE(writer->Open().ok());
  const absl::Status full = writer->Stage(1, 0, Rows({std::string(1'000'000, 'x')}));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(full),
              HasSubstr(directory_.string() + "/.staging/out-1-2-000000000001.txt.1.1.tmp': No space left"));
  EXPECT_THAT(Staged(), IsEmpty());
  EXPECT_THAT(List(directory_), ElementsAre(".staging"));
  // There is room again for what fits.
  EXPECT_EQ(*writer->Open(), 0u);
  EXPECT_TRUE(writer->Stage(1, 0, Rows({"small"})).ok());
  EXPECT_TRUE(writer->Commit(1).ok());
  EXPECT_EQ(umount(directory_.c_str()), 0);
}

}  // namespace
}  // namespace millrace
