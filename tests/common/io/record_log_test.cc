#include "common/io/record_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/common/io/scratch.h"
#include "tests/common/io/sync_faults.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using testing::FailSyncs;
using ::testing::HasSubstr;
using testing::ScratchDirectory;
using testing::SmallDisk;
using testing::SyncCount;

const std::vector<std::string> kRecords = {"first", "", std::string(300, 's'), "the last one"};

std::string Encoded(const std::vector<std::string>& records) {
  std::string file;
  for (const auto& record : records) EncodeRecord(record, file);
  return file;
}

void Overwrite(const std::string& path, const std::string& data) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << data;
}

TEST(RecordLog, GivesBackWhatWasAppended) {
  ScratchDirectory dir;
  {
    auto log = RecordLogWriter::Open(dir / "log");
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE(log->Append("one").ok());
    EXPECT_EQ(std::filesystem::file_size(dir / "log"), 0u);
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(log->durable_bytes(), std::filesystem::file_size(dir / "log"));
  }
  auto log = RecordLogWriter::Open(dir / "log");
  ASSERT_TRUE(log->Append("two").ok());
  ASSERT_TRUE(log->Append("three").ok());
  const auto before = SyncCount();
  ASSERT_TRUE(log->Sync().ok());
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_EQ(SyncCount() - before, 1u) << "nothing new needs no sync";
  const auto contents = ReadRecordLog(dir / "log");
  EXPECT_THAT(contents->records, ElementsAre("one", "two", "three"));
  EXPECT_FALSE(contents->torn);
}

// The form is on disks: it must not change.
TEST(RecordLog, HasTheDocumentedForm) {
  const std::string file = Encoded({"abc"});
  EXPECT_EQ(file, std::string("\x03\0\0\0\0\0\0\0\x50\x39\x2f\x89\x94\x5f\xaf\x78"
                              "abc",
                              19));
}

TEST(RecordLog, IsNotFoundWhenThereIsNone) {
  ScratchDirectory dir;
  EXPECT_TRUE(absl::IsNotFound(ReadRecordLog(dir / "log").status()));
}

TEST(RecordLog, ATornTailAtAnyByteIsCutAndTheLogGoesOn) {
  ScratchDirectory dir;
  const std::string path = dir / "log";
  const std::string whole = Encoded(kRecords);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Overwrite(path, whole.substr(0, size));
    std::size_t good = 0;
    while (Encoded({kRecords.begin(), kRecords.begin() + static_cast<std::ptrdiff_t>(good) + 1}).size() <= size) ++good;
    const auto contents = ReadRecordLog(path);
    ASSERT_TRUE(contents.ok()) << size << ": " << contents.status();
    EXPECT_EQ(contents->records.size(), good) << size;
    EXPECT_EQ(contents->torn, contents->good_bytes != size) << size;

    auto log = RecordLogWriter::Open(path);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE(log->Append("after").ok());
    ASSERT_TRUE(log->Sync().ok());
    const auto continued = ReadRecordLog(path);
    ASSERT_EQ(continued->records.size(), good + 1) << size;
    EXPECT_EQ(continued->records.back(), "after");
    EXPECT_FALSE(continued->torn);
  }
}

TEST(RecordLog, AFlippedBitIsNeverReadAsData) {
  ScratchDirectory dir;
  const std::string path = dir / "log";
  const std::string whole = Encoded(kRecords);
  const std::size_t last = whole.size() - Encoded({kRecords.back()}).size();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = whole;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      Overwrite(path, bad);
      const auto contents = ReadRecordLog(path);
      if (at >= last) {
        ASSERT_TRUE(contents.ok()) << at << ": " << contents.status();
        EXPECT_TRUE(contents->torn);
        EXPECT_EQ(contents->records.size(), kRecords.size() - 1);
      } else {
        ASSERT_TRUE(absl::IsDataLoss(contents.status())) << "byte " << at << " bit " << bit;
        EXPECT_THAT(Message(contents.status()), HasSubstr(path));
        EXPECT_THAT(Message(contents.status()), HasSubstr("offset"));
        EXPECT_TRUE(absl::IsDataLoss(RecordLogWriter::Open(path).status()));
      }
    }
  }
}

TEST(RecordLog, GarbageBehindTheEndIsATornTail) {
  ScratchDirectory dir;
  Overwrite(dir / "log", Encoded({"good"}) + std::string(5000, '\0'));
  const auto contents = ReadRecordLog(dir / "log");
  ASSERT_TRUE(contents.ok());
  EXPECT_THAT(contents->records, ElementsAre("good"));
  EXPECT_TRUE(contents->torn);
}

TEST(RecordLog, RefusesARecordThatIsTooLong) {
  ScratchDirectory dir;
  auto log = RecordLogWriter::Open(dir / "log");
  EXPECT_TRUE(absl::IsInvalidArgument(log->Append(std::string(kMaxRecordBytes + 1, 'x'))));
  EXPECT_FALSE(log->broken());
}

TEST(RecordLog, AFailedSyncIsForGood) {
  ScratchDirectory dir;
  auto log = RecordLogWriter::Open(dir / "log");
  ASSERT_TRUE(log->Append("one").ok());
  FailSyncs(1, EIO);
  EXPECT_FALSE(log->Sync().ok());
  EXPECT_TRUE(log->broken());
  const auto before = SyncCount();
  EXPECT_THAT(Message(log->Sync()), HasSubstr("Input/output error"));
  EXPECT_FALSE(log->Append("two").ok());
  EXPECT_EQ(SyncCount(), before) << "a sync must not be tried again on the same descriptor";
}

TEST(RecordLog, AFullDiskReportedBySyncIsForGood) {
  ScratchDirectory dir;
  auto log = RecordLogWriter::Open(dir / "log");
  ASSERT_TRUE(log->Append("one").ok());
  FailSyncs(1, ENOSPC);
  EXPECT_TRUE(absl::IsResourceExhausted(log->Sync()));
  EXPECT_TRUE(log->broken());
}

TEST(RecordLog, AFailedWriteIsForGood) {
  ScratchDirectory dir;
  auto log = RecordLogWriter::Open(dir / "log");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  ::getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{64, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  ASSERT_TRUE(log->Append(std::string(100, 'x')).ok());
  const absl::Status status = log->Sync();
  ::setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_THAT(Message(status), HasSubstr("File too large"));
  EXPECT_TRUE(log->broken());
  EXPECT_EQ(Message(log->Sync()), Message(status));
  EXPECT_TRUE(ReadRecordLog(dir / "log")->records.empty());
}

TEST(RecordLog, AFullDiskIsWaitedOut) {
  SmallDisk disk(512 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  auto log = RecordLogWriter::Open(disk / "log");
  ASSERT_TRUE(log->Append("before").ok());
  ASSERT_TRUE(log->Sync().ok());
  disk.Fill(64 << 10);
  const std::string large(200 << 10, 'l');
  ASSERT_TRUE(log->Append(large).ok());
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = log->Sync();
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_FALSE(log->broken());
    EXPECT_EQ(std::filesystem::file_size(disk / "log"), log->durable_bytes()) << "the partial record is taken back";
    EXPECT_FALSE(ReadRecordLog(disk / "log")->torn);
  }
  disk.Release();
  ASSERT_TRUE(log->Append("after").ok());
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_THAT(ReadRecordLog(disk / "log")->records, ElementsAre("before", large, "after"));
}

TEST(RecordLog, MovesToItsFinalName) {
  ScratchDirectory dir;
  Overwrite(dir / "log", "old content");
  auto log = RecordLogWriter::Create(dir / "log.new");
  ASSERT_TRUE(log->Append("one").ok());
  ASSERT_TRUE(log->Sync().ok());
  ASSERT_TRUE(log->MoveTo(dir / "log").ok());
  ASSERT_TRUE(log->Append("two").ok());
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_THAT(ReadRecordLog(dir / "log")->records, ElementsAre("one", "two"));
  EXPECT_FALSE(std::filesystem::exists(dir / "log.new"));
  EXPECT_FALSE(log->MoveTo(dir / "no/such/directory").ok());
  EXPECT_FALSE(log->broken()) << "a name that could not be given changes nothing";
  EXPECT_EQ(log->path(), dir / "log");
}

}  // namespace
}  // namespace millrace
