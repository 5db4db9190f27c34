#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/connectors/collect.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class TextFiles : public testing::Test {
 protected:
  TextFiles() {
    std::string name = (fs::temp_directory_path() / "millrace-files-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~TextFiles() override { fs::remove_all(directory_); }

  void Write(const std::string& name, const std::string& text) {
    fs::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name, std::ios::binary) << text;
  }
  std::unique_ptr<Source> Make(engine::Options more = {}) {
    more.insert({"directory", directory_.string()});
    auto source = MakeSource(Describe("files", std::move(more)), {"j1"});
    EXPECT_TRUE(source.ok()) << source.status();
    return std::move(*source);
  }
  static std::vector<std::string> Names(Source& source) {
    std::vector<std::string> names;
    auto list = source.ListSplits();
    EXPECT_TRUE(list.ok()) << list.status();
    for (const SplitStart& split : list->splits) names.push_back(split.split.substr(0, split.split.rfind('#')));
    return names;
  }
  static std::unique_ptr<SplitReader> OpenOnly(Source& source, const std::string& start = "0") {
    auto list = source.ListSplits();
    EXPECT_EQ(list->splits.size(), 1u);
    return std::move(*source.OpenSplit(list->splits[0].split, start));
  }

  fs::path directory_;
};

TEST_F(TextFiles, ListsVisibleRegularFilesOfThePattern) {
  Write("b.log", "x");
  Write("a.log", "x");
  Write("sub/c.log", "x");
  Write(".hidden.log", "x");
  Write("_temporary/d.log", "x");
  Write("e.txt", "x");
  fs::create_symlink(directory_ / "a.log", directory_ / "link.log");
  auto source = Make({{"pattern", "*.log"}});
  EXPECT_THAT(Names(*source), ElementsAre("a.log", "b.log", "sub/c.log"));
  EXPECT_FALSE(source->ListSplits()->complete);
  Write("aa.log", "x");
  EXPECT_THAT(Names(*source), ElementsAre("a.log", "aa.log", "b.log", "sub/c.log"));
}

TEST_F(TextFiles, BoundedKeepsToTheFilesOfTheFirstListing) {
  Write("a", "x");
  auto source = Make({{"bounded", "true"}});
  EXPECT_TRUE(source->ListSplits()->complete);
  Write("b", "x");
  EXPECT_THAT(Names(*source), ElementsAre("a"));
}

TEST_F(TextFiles, MissingDirectoryIsNotFound) {
  auto source = Make({{"directory", directory_.string() + "/nowhere"}});
  fs::remove_all(directory_);
  auto list = source->ListSplits();
  EXPECT_EQ(list.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(ErrorOf(list), HasSubstr("does not exist on this node; create it or correct the option directory"));
  EXPECT_THAT(source->Problem(), HasSubstr("does not exist"));
}

TEST_F(TextFiles, ReadsLinesWithTheirOffsets) {
  Write("a", "one\ntwo\r\n\nlast");
  auto source = Make();
  auto reader = OpenOnly(*source);
  auto range = reader->Close("0", 2);
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_EQ(range->records, 2u);
  EXPECT_EQ(range->end, "9");
  EXPECT_FALSE(range->finished);
  EXPECT_THAT(Drain(*range->data), ElementsAre(Seen{"", "one", 0}, Seen{"", "two", 4}));
  range = reader->Close("9", 0);
  EXPECT_EQ(range->records, 2u);
  EXPECT_EQ(range->end, "14");
  EXPECT_TRUE(range->finished);
  EXPECT_THAT(Drain(*range->data), ElementsAre(Seen{"", "", 9}, Seen{"", "last", 10}));
}

TEST_F(TextFiles, AnEmptyFileIsFinishedAtOnce) {
  Write("a", "");
  auto source = Make();
  auto range = OpenOnly(*source)->Close("0", 0);
  ASSERT_TRUE(range.ok());
  EXPECT_TRUE(range->finished);
  EXPECT_EQ(range->end, "0");
  EXPECT_EQ(range->records, 0u);
}

TEST_F(TextFiles, LargeFilesComeInBoundedRangesAndReadAgainTheSame) {
  std::string text;
  std::size_t lines = 0;
  while (text.size() < 20'000'000) text += "line " + std::to_string(lines++) + " of a large file\n";
  Write("a", text);
  auto source = Make();
  auto reader = OpenOnly(*source);
  auto other = OpenOnly(*source);
  std::string position = "0";
  std::size_t records = 0;
  int ranges = 0;
  for (bool finished = false; !finished; ++ranges) {
    auto range = reader->Close(position, 0);
    ASSERT_TRUE(range.ok());
    ASSERT_GT(range->records, 0u);
    const auto seen = Drain(*range->data);
    EXPECT_EQ(seen.size(), range->records);
    auto again = other->Read(position, range->end);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(Drain(**again), seen);
    records += seen.size();
    position = range->end;
    finished = range->finished;
  }
  EXPECT_EQ(records, lines);
  EXPECT_EQ(ranges, 3);
}

TEST_F(TextFiles, ALineLongerThanARangeIsWhole) {
  const std::string line(10'000'000, 'x');
  Write("a", line + "\nshort\n");
  auto source = Make();
  auto range = OpenOnly(*source)->Close("0", 1);
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(Drain(*range->data)[0].value, line);
}

TEST_F(TextFiles, NamesNeedNotBeUtf8) {
  Write("caf\xE9%#1.txt", "x\n");
  Write("\xC3\xA9t\xC3\xA9.txt", "y\n");
  auto source = Make();
  EXPECT_THAT(Names(*source), ElementsAre("caf%E9%25#1.txt", "\xC3\xA9t\xC3\xA9.txt"));
  std::vector<std::string> values;
  const auto list = source->ListSplits();
  for (const SplitStart& split : list->splits) {
    auto range = (*source->OpenSplit(split.split, "0"))->Close("0", 0);
    ASSERT_TRUE(range.ok()) << range.status();
    auto chunk = range->data->Next();
    values.emplace_back(chunk[0].value);
    values.emplace_back(chunk[0].topic);
  }
  EXPECT_THAT(values, ElementsAre("x", "caf\xE9%#1.txt", "y", "\xC3\xA9t\xC3\xA9.txt"));
}

TEST_F(TextFiles, ADeletedFileIsDataLossUntilItWasReadToItsEnd) {
  Write("a", "one\ntwo\n");
  auto source = Make();
  auto reader = OpenOnly(*source);
  auto late = OpenOnly(*source);
  ASSERT_TRUE(reader->Close("0", 0)->finished);
  fs::remove(directory_ / "a");
  EXPECT_TRUE(reader->Close("8", 0).ok());
  auto lost = late->Close("0", 0);
  EXPECT_EQ(lost.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(ErrorOf(lost), HasSubstr("is gone; it was not read to its end"));
}

TEST_F(TextFiles, AReplacedOrShortenedFileIsDataLoss) {
  Write("a", "one\ntwo\n");
  auto source = Make();
  auto shortened = OpenOnly(*source);
  auto replaced = OpenOnly(*source);
  fs::resize_file(directory_ / "a", 3);
  EXPECT_EQ(shortened->Close("8", 0).status().code(), absl::StatusCode::kDataLoss);
  Write("b", "other\n");
  fs::rename(directory_ / "b", directory_ / "a");
  auto lost = replaced->Close("0", 0);
  EXPECT_EQ(lost.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(ErrorOf(lost), HasSubstr("was replaced by another"));
}

}  // namespace
}  // namespace millrace
