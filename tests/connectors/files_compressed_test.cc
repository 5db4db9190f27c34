// Compressed files as a source: positions are those of the lines, whatever the packing.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "executor/connectors/files/row_text.h"
#include "tests/connectors/collect.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Pack(const std::vector<std::string>& lines, FileCodec codec) {
  std::vector<engine::SinkRow> rows;
  for (const std::string& line : lines) rows.push_back({{}, line, false});
  RowText text(rows, codec);
  std::string all;
  for (std::string piece; text.Next(piece);) all += piece;
  return all;
}

class CompressedFiles : public testing::TestWithParam<std::pair<FileCodec, std::string>> {
 protected:
  CompressedFiles() {
    std::string name = (fs::temp_directory_path() / "millrace-packed-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~CompressedFiles() override { fs::remove_all(directory_); }

  void Write(const std::string& bytes) {
    std::ofstream(directory_ / ("a" + GetParam().second), std::ios::binary) << bytes;
  }
  std::string Packed(const std::vector<std::string>& lines) { return Pack(lines, GetParam().first); }
  std::unique_ptr<SplitReader> Open() {
    source_ = *MakeSource(Describe("files", {{"directory", directory_.string()}}), {"j1"});
    const auto list = source_->ListSplits();
    EXPECT_EQ(list->splits.size(), 1u);
    return std::move(*source_->OpenSplit(list->splits[0].split, "0"));
  }
  static std::vector<std::string> All(SplitReader& reader, std::uint64_t limit) {
    std::vector<std::string> lines;
    std::string position = "0";
    for (bool finished = false; !finished;) {
      auto range = reader.Close(position, limit);
      EXPECT_TRUE(range.ok()) << range.status();
      if (!range.ok()) break;
      for (const std::string& line : Values(Drain(*range->data))) lines.push_back(line);
      position = range->end;
      finished = range->finished;
    }
    return lines;
  }

  fs::path directory_;
  std::unique_ptr<Source> source_;
};

INSTANTIATE_TEST_SUITE_P(Codecs, CompressedFiles,
                         testing::Values(std::pair(FileCodec::kGzip, std::string(".log.gz")),
                                         std::pair(FileCodec::kZstd, std::string(".log.zst"))));

TEST_P(CompressedFiles, LinesComeOnceAndAgainTheSame) {
  std::vector<std::string> lines;
  for (std::int64_t i = 0; i < 300'000; ++i) lines.push_back("line " + std::to_string(i * 7919 % 300'000) + " of many");
  Write(Packed(lines));
  auto reader = Open();
  const std::vector<std::string> got = All(*reader, 70'000);
  ASSERT_EQ(got.size(), lines.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], lines[i]) << i;
  // Another owner reads a range in the middle, one before it, and goes on.
  reader = Open();
  const auto middle = std::to_string(lines[0].size() + 1);
  const auto behind = std::to_string(lines[0].size() + lines[1].size() + 2);
  for (int i = 0; i < 2; ++i) {
    auto again = reader->Read(middle, behind);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_THAT(Values(Drain(**again)), ElementsAre(lines[1]));
  }
  auto range = reader->Close(behind, 1);
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_THAT(Values(Drain(*range->data)), ElementsAre(lines[2]));
}

TEST_P(CompressedFiles, SeveralMembersAreOneFile) {
  Write(Packed({"a", "b"}) + Packed({"c"}) + Packed({}) + Packed({"d"}));
  auto reader = Open();
  EXPECT_THAT(All(*reader, 0), ElementsAre("a", "b", "c", "d"));
}

TEST_P(CompressedFiles, AnEmptyFileHasNoLines) {
  Write("");
  auto reader = Open();
  EXPECT_THAT(All(*reader, 0), ElementsAre());
}

TEST_P(CompressedFiles, ADamagedFileIsNamed) {
  std::vector<std::string> lines(10'000, "some text that is long enough to be packed");
  std::string bytes = Packed(lines);
  bytes.replace(bytes.size() / 2, 8, "damaged!");
  Write(bytes);
  auto reader = Open();
  const auto range = reader->Close("0", 0);
  EXPECT_EQ(range.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(ErrorOf(range),
              testing::ContainsRegex("a" + GetParam().second + "' (is damaged near byte|ends in the middle)"));
}

TEST_P(CompressedFiles, AFileThatIsCutOffIsNotTakenForWhole) {
  const std::string bytes = Packed({"first", "second"});
  for (const std::size_t size : {bytes.size() - 1, bytes.size() / 2, std::size_t{1}}) {
    Write(bytes.substr(0, size));
    auto reader = Open();
    const auto range = reader->Close("0", 0);
    EXPECT_EQ(range.status().code(), absl::StatusCode::kDataLoss) << size;
    EXPECT_THAT(ErrorOf(range), HasSubstr("is it complete?"));
  }
}

TEST_P(CompressedFiles, APositionBehindTheEndIsDataLoss) {
  Write(Packed({"a"}));
  auto reader = Open();
  EXPECT_EQ(reader->Close("100", 0).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(reader->Read("0", "100").status().code(), absl::StatusCode::kDataLoss);
}

TEST(TextFilesOptions, FilesThatAreNotCompleteAreIgnored) {
  std::string name = (fs::temp_directory_path() / "millrace-ignored-XXXXXX").string();
  const fs::path directory = mkdtemp(name.data());
  for (const char* file : {"a.log", "b.log.tmp", "c.part"}) std::ofstream(directory / file) << "x";
  const auto source =
      MakeSource(Describe("files", {{"directory", directory.string()}, {"ignore_suffixes", ".tmp,.part"}}), {"j1"});
  const auto list = (*source)->ListSplits();
  ASSERT_EQ(list->splits.size(), 1u);
  EXPECT_TRUE(list->splits[0].split.starts_with("a.log#"));
  fs::remove_all(directory);
}

}  // namespace
}  // namespace millrace
