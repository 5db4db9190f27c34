// A journal whose end is cut or changed, byte by byte: what is recovered is the job as it stood after some record, or
// an error that names the file. The records are a real job's, written by the journal and played back as a driver does.
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>

#include "common/io/file.h"
#include "common/io/record_log.h"
#include "driver/jobs/job_record.h"
#include "driver/journal/journal.h"
#include "driver/journal/planned_mark.h"
#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using testing::ScratchDirectory;
using v1::durable::JournalRecord;
using v1::durable::Snapshot;

const SplitKey kSplit{0, "lines-0"};
constexpr std::size_t kLast = 3;  // so many records at the end are damaged

JournalRecord First() {
  JobRecord record;
  record.id = "j-1";
  record.name = "wc";
  record.sha256 = std::string(32, 'x');
  record.arguments = {{"topic", "lines"}};
  record.plan.set_name("wc");
  record.plan.set_checkpoint_interval_us(1'000'000);
  JournalRecord first;
  *first.mutable_snapshot() = ToDurable(record, {});
  return first;
}

JournalRecord Planned(std::uint64_t batch) {
  const std::string start = Concat(batch * 10), end = Concat(batch * 10 + 10);
  return ToDurable(
      AppendPlanned{{batch, static_cast<std::int64_t>(batch) * 1000, {{kSplit, 3, start, end, 10, false}}}});
}

JournalRecord CheckpointOf(std::uint64_t batch) {
  return ToDurable(AppendCheckpoint{{batch, {{{1, 0}, {{"j-1/base", 100, 5, true}}}}}});
}

// With every kind of record among the last three, in turn.
const std::vector<std::vector<JournalRecord>> kJournals = {
    {First(), ToDurable(AppendSplits{{{kSplit, 3, "10", false}}}), Planned(1), Planned(2),
     ToDurable(AppendCommitted{1})},
    {First(), ToDurable(AppendSplits{{{kSplit, 3, "10", false}}}), Planned(1), ToDurable(AppendCommitted{1}),
     Planned(2), CheckpointOf(1), Planned(3)},
    {First(), ToDurable(AppendSplits{{{kSplit, 3, "10", false}}}), Planned(1), ToDurable(AppendCommitted{1}),
     ToDurable(EndJob{JobState::kStopped, ""}, 77)},
    {First(), ToDurable(AppendSplits{{{kSplit, 3, "10", false}}}), Planned(1)},
};

// All that is known of a job after a replay, in a form that can be compared.
absl::StatusOr<Snapshot> Known(const std::vector<JournalRecord>& records) {
  MR_ASSIGN_OR_RETURN(const RecoveredJob job, Replay(records));
  Snapshot known = ToDurable(job.record, job.snapshot);
  known.set_name(Concat(known.name(), " in state ", static_cast<int>(job.state)));
  return known;
}

class JournalDamage : public ::testing::TestWithParam<std::size_t> {
 protected:
  JournalDamage() : records_(kJournals[GetParam()]) {
    JournalService journal({});
    EXPECT_TRUE(journal.OpenJob("j-1", dir_ / "j-1").ok());
    for (const JournalRecord& record : records_) EXPECT_TRUE(Append(journal, record).ok());
    std::vector<JournalRecord> so_far;
    for (const JournalRecord& record : records_) {
      so_far.push_back(record);
      prefixes_.push_back(*Known(so_far));
      std::string framed;
      EncodeRecord(record.SerializeAsString(), framed);
      sizes_.push_back(framed.size());
    }
    whole_ = *ReadFile(path_);
    promised_ = *ReadPlannedMark(PlannedMarkPath(path_));
    tail_ = whole_.size();
    for (std::size_t i = 0; i < std::min(kLast, sizes_.size() - 1); ++i) tail_ -= sizes_[sizes_.size() - 1 - i];
  }

  static absl::Status Append(JournalService& journal, const JournalRecord& record) {
    std::promise<absl::Status> done;
    MR_RETURN_IF_ERROR(journal.Append("j-1", record, [&](absl::Status status) { done.set_value(std::move(status)); }));
    return done.get_future().get();
  }

  void Write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  // Whether the first so many records have every plan.
  bool HasEveryPlan(std::size_t records) const {
    return std::none_of(records_.begin() + static_cast<std::ptrdiff_t>(records), records_.end(),
                        [](const JournalRecord& record) { return record.has_planned(); });
  }

  // How many records were recovered; 0 after an error that names the file.
  std::size_t Recover() const {
    const auto records = ReadJob(dir_ / "j-1");
    if (!records.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(records.status())) << records.status();
      EXPECT_THAT(Message(records.status()), HasSubstr(path_));
      return 0;
    }
    const auto known = Known(*records);
    EXPECT_TRUE(known.ok()) << known.status();
    if (!known.ok()) return 0;
    EXPECT_LE(records->size(), prefixes_.size());
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*known, prefixes_[records->size() - 1]))
        << known->DebugString();
    return records->size();
  }

  const std::vector<JournalRecord> records_;
  const ScratchDirectory dir_;
  const std::string path_ = dir_ / "j-1/journal";
  std::vector<Snapshot> prefixes_;  // what is known after each record
  std::vector<std::size_t> sizes_;
  std::string whole_;
  std::uint64_t promised_ = 0;
  std::size_t tail_ = 0;  // where the last records begin
};

TEST_P(JournalDamage, CutAtEveryByteItIsAsItWasAfterSomeRecord) {
  for (std::size_t size = tail_; size <= whole_.size(); ++size) {
    SCOPED_TRACE(Concat("cut at ", size, " of ", whole_.size()));
    Write(whole_.substr(0, size));
    std::size_t whole_records = 0;
    for (std::size_t end = 0; whole_records < sizes_.size() && end + sizes_[whole_records] <= size; ++whole_records)
      end += sizes_[whole_records];
    ASSERT_EQ(Recover(), HasEveryPlan(whole_records) ? whole_records : 0);
    std::filesystem::remove(PlannedMarkPath(path_));  // whoever runs the cluster has said: go on from there
    ASSERT_EQ(Recover(), whole_records);
    // And it goes on from there: the torn end does not stay in the way.
    JournalService journal({});
    ASSERT_TRUE(journal.OpenJob("j-1", dir_ / "j-1").ok());
    ASSERT_TRUE(Append(journal, ToDurable(AppendCommitted{1})).ok());
    const auto records = ReadJob(dir_ / "j-1");
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_EQ(records->size(), whole_records + 1);
    PlannedMark(PlannedMarkPath(path_)).Note(promised_);
  }
}

TEST_P(JournalDamage, WithAnyByteFlippedItIsAsItWasAfterSomeRecordOrRefused) {
  std::size_t refused = 0;
  for (std::size_t at = tail_; at < whole_.size(); ++at) {
    for (const int mask : {1, 0x10, 0x80, 0xff}) {
      SCOPED_TRACE(Concat("byte ", at, " of ", whole_.size(), " mask ", mask));
      std::string bytes = whole_;
      bytes[at] = static_cast<char>(bytes[at] ^ mask);
      Write(bytes);
      const std::size_t recovered = Recover();
      ASSERT_LT(recovered, records_.size()) << "damage that nobody noticed";
      if (recovered != 0) {
        ASSERT_TRUE(HasEveryPlan(recovered));
      } else {
        ++refused;
      }
    }
  }
  if (records_.size() > 3) {
    EXPECT_GT(refused, 0U) << "a record that is followed by a good one was made durable";
  }
}

INSTANTIATE_TEST_SUITE_P(Jobs, JournalDamage, ::testing::Range(std::size_t{0}, kJournals.size()));

}  // namespace
}  // namespace millrace
