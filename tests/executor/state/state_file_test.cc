#include "executor/state/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/common/io/scratch.h"
#include "tests/executor/state/entries.h"

namespace millrace {
namespace {

using testing::Entries;
using ::testing::HasSubstr;
using testing::MapCursor;
using testing::OpenStore;
using testing::Overwrite;
using testing::ReadFileEntries;
using testing::ScratchDirectory;
using testing::Slurp;
using testing::SmallDisk;

StateFileTotals Write(CheckpointStore& store, const std::string& name, const Entries& entries) {
  MapCursor cursor(entries);
  const auto totals = WriteStateFile(cursor, store, name);
  EXPECT_TRUE(totals.ok()) << totals.status();
  return *totals;
}

Entries RandomEntries(std::size_t count, std::size_t max_value) {
  std::mt19937 random(7);
  Entries entries;
  while (entries.size() < count) {
    std::string key = "counts" + std::string(1, '\0') + std::string(random() % 20, 'k');
    for (int i = 0; i < 3; ++i) key.push_back(static_cast<char>(random()));
    if (random() % 5 == 0) {
      entries[key] = std::nullopt;
    } else {
      entries[key] = std::string(random() % (max_value + 1), static_cast<char>(random()));
    }
  }
  return entries;
}

TEST(StateFile, GivesBackWhatWasWritten) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  const Entries entries = RandomEntries(20'000, 40);
  const StateFileTotals totals = Write(*store, "a", entries);
  EXPECT_EQ(totals.entries, entries.size());
  EXPECT_EQ(totals.bytes, Slurp(dir / "a").size());

  auto reader = *StateFileReader::Open(*store, "a");
  EXPECT_EQ(*testing::ReadAll(*reader), entries);
  EXPECT_EQ(reader->totals(), totals);
}

TEST(StateFile, MayBeEmpty) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  EXPECT_EQ(Write(*store, "a", {}).entries, 0u);
  EXPECT_EQ(*ReadFileEntries(*store, "a"), Entries());
}

TEST(StateFile, KeepsTheEmptyKeyTheEmptyValueAndTheDeletedApart) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  const Entries entries = {{"", ""}, {std::string(1, '\0'), std::nullopt}, {"a", ""}, {"aa", "x"}, {"b", std::nullopt}};
  EXPECT_EQ(Write(*store, "a", entries).deleted, 2u);
  EXPECT_EQ(*ReadFileEntries(*store, "a"), entries);
}

TEST(StateFile, TakesEntriesLongerThanABlock) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  const Entries entries = {{"a", "small"},
                           {"b", std::string(3 << 20, 'v')},
                           {"c" + std::string(200 << 10, 'k'), "long key"},
                           {"c" + std::string(200 << 10, 'k') + "2", std::string(1 << 20, 'w')},
                           {"d", "small"}};
  Write(*store, "a", entries);
  EXPECT_EQ(*ReadFileEntries(*store, "a"), entries);
}

TEST(StateFile, StoresTheSharedPartOfKeysOnce) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  Entries entries;
  for (int i = 100'000; i < 200'000; ++i)
    entries["a rather long name of an operator and its state/" + std::to_string(i)] = "1";
  const StateFileTotals totals = Write(*store, "a", entries);
  EXPECT_LT(totals.bytes, totals.key_bytes / 5);
}

// Small enough that every byte can be tried: two blocks, and every kind of field.
Entries TwoBlocks() {
  return {{"a", "1"}, {"ab", std::nullopt}, {"abc", std::string(kStateBlockBytes, 'x')}, {"b", "2"}, {"c", ""}};
}

absl::Status ReadStatus(CheckpointStore& store) { return ReadFileEntries(store, "a").status(); }

TEST(StateFile, EveryCutIsFound) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  Write(*store, "a", TwoBlocks());
  const std::string whole = Slurp(dir / "a");
  for (std::size_t length = 0; length<whole.size(); length += length> 100 && length + 300 < whole.size() ? 997 : 1) {
    Overwrite(dir / "a", whole.substr(0, length));
    const absl::Status status = ReadStatus(*store);
    ASSERT_TRUE(absl::IsDataLoss(status)) << length << ": " << status;
    ASSERT_THAT(Message(status), HasSubstr(dir / "a"));
  }
  Overwrite(dir / "a", whole);
  EXPECT_EQ(*ReadFileEntries(*store, "a"), TwoBlocks());
}

TEST(StateFile, EveryFlippedByteIsFound) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  Write(*store, "a", TwoBlocks());
  const std::string whole = Slurp(dir / "a");
  for (std::size_t at = 0; at<whole.size(); at += at> 100 && at + 300 < whole.size() ? 997 : 1) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string bad = whole;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      Overwrite(dir / "a", bad);
      const absl::Status status = ReadStatus(*store);
      ASSERT_TRUE(absl::IsDataLoss(status)) << at << ": " << status;
    }
  }
}

TEST(StateFile, ZeroesAndStrangersAreFound) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  for (const std::string& text : {std::string(), std::string(5, '\0'), std::string(4096, '\0'), std::string("MRSTATE1"),
                                  std::string("MRSTATE1") + std::string(4096, '\0'),
                                  std::string("MRSTATE1") + std::string(4096, '\xff'), std::string(300, 'x')}) {
    Overwrite(dir / "a", text);
    EXPECT_TRUE(absl::IsDataLoss(ReadStatus(*store))) << text.size();
  }
  EXPECT_TRUE(absl::IsNotFound(ReadFileEntries(*store, "none").status()));
}

// The blocks of a file, header and all; the trailer is the last.
std::vector<std::string> Blocks(const std::string& file) {
  std::vector<std::string> blocks;
  for (std::size_t at = 8; at < file.size();) {
    std::uint32_t length = 0;
    std::memcpy(&length, file.data() + at, sizeof length);
    blocks.push_back(file.substr(at, 16 + length));
    at += 16 + length;
  }
  return blocks;
}

TEST(StateFile, BlocksThatAreGoneTwiceOrElsewhereAreFound) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  Entries entries;
  for (int i = 0; i < 4; ++i) entries["k" + std::to_string(i)] = std::string(kStateBlockBytes, 'x');
  Write(*store, "a", entries);
  const std::string magic = Slurp(dir / "a").substr(0, 8);
  const std::vector<std::string> b = Blocks(Slurp(dir / "a"));
  ASSERT_EQ(b.size(), 5u);
  const std::string others[] = {
      magic + b[1] + b[2] + b[3] + b[4],                // the first is gone
      magic + b[0] + b[1] + b[2] + b[4],                // the last is gone
      magic + b[0] + b[2] + b[1] + b[3] + b[4],         // in another order
      magic + b[0] + b[1] + b[1] + b[2] + b[3] + b[4],  // one twice
      magic + b[4],                                     // the trailer alone
      magic + b[0] + b[1] + b[2] + b[3] + b[4] + b[4],  // the trailer twice
      magic + b[0] + b[1] + b[2] + b[3] + b[4] + "x",   // more behind it
      magic + b[0] + b[1] + b[2] + b[3],                // no trailer
  };
  for (const std::string& other : others) {
    Overwrite(dir / "a", other);
    EXPECT_TRUE(absl::IsDataLoss(ReadStatus(*store))) << &other - others;
  }
}

TEST(StateFile, AnUnfinishedFileLeavesNothing) {
  ScratchDirectory dir;
  const auto store = OpenStore(dir.path());
  {
    auto writer = *StateFileWriter::Make(*store, "a");
    for (int i = 100; i < 900; ++i) ASSERT_TRUE(writer->Add(std::to_string(i), std::string(1000, 'x')).ok());
  }
  EXPECT_TRUE(store->List("")->empty());
}

TEST(StateFile, AFullDiskIsNamed) {
  SmallDisk disk(std::size_t{1} << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  const auto store = OpenStore(disk.path());
  Entries entries;
  for (int i = 100; i < 130; ++i) entries[std::to_string(i)] = std::string(100'000, 'x');
  MapCursor cursor(entries);
  const auto totals = WriteStateFile(cursor, *store, "j/big");
  EXPECT_TRUE(absl::IsResourceExhausted(totals.status())) << totals.status();
  EXPECT_THAT(Message(totals.status()), HasSubstr("j/big"));
  EXPECT_TRUE(store->List("")->empty());
}

}  // namespace
}  // namespace millrace
