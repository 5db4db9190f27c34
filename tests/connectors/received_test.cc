// The log of receivers and the reader that fills it: on a real folder, with a receiver that the test pushes through.
#include <gmock/gmock.h>

#include <filesystem>
#include <future>
#include <thread>

#include "executor/connectors/received/logged_reader.h"
#include "executor/state/posix_checkpoint_store.h"
#include "tests/connectors/collect.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kLog = "received/j-1/op0/0";
const std::string kBegin = std::string(kLog) + "@0:0";

// Gives the test the store that the reader handed it.
class TestReceiver : public Receiver {
 public:
  explicit TestReceiver(std::promise<ReceiverStore*>* started) : started_(started) {}
  absl::Status Start(ReceiverStore& store) override {
    started_->set_value(&store);
    return absl::OkStatus();
  }
  void Stop() override {}
  std::string Problem() const override { return {}; }

 private:
  std::promise<ReceiverStore*>* started_;
};

struct Owner {
  explicit Owner(std::shared_ptr<CheckpointStore> storage)
      : reader(std::make_unique<LoggedReader>("source 'test'", kLog, std::move(storage),
                                              std::make_unique<TestReceiver>(&started),
                                              std::make_shared<ReceiverProblem>())),
        store(started.get_future().get()) {}

  absl::Status Store(const std::vector<std::string>& values, bool with_ids = false) {
    std::vector<ReceivedRecord> records;
    for (const std::string& value : values) {
      ReceivedRecord& record = records.emplace_back();
      record.value = value;
      if (with_ids) record.id = value;
    }
    return store->Store(records);
  }
  std::vector<std::string> Take(std::string& at, std::uint64_t most = 0) {
    auto range = reader->Close(at, most);
    EXPECT_TRUE(range.ok()) << range.status();
    at = range->end;
    return Values(*range->data);
  }
  static std::vector<std::string> Values(RecordBatch& batch) {
    std::vector<std::string> values;
    for (auto records = batch.Next(); !records.empty(); records = batch.Next()) {
      for (const engine::SourceRecord& record : records) values.emplace_back(record.value);
    }
    return values;
  }
  std::vector<std::string> Again(const std::string& from, const std::string& to) {
    auto batch = reader->Read(from, to);
    EXPECT_TRUE(batch.ok()) << batch.status();
    return Values(**batch);
  }

  std::promise<ReceiverStore*> started;
  std::unique_ptr<LoggedReader> reader;
  ReceiverStore* store;
};

class ReceivedTest : public testing::Test {
 protected:
  ReceivedTest() {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = std::filesystem::path(testing::TempDir()) / ("received-" + name);
    std::filesystem::remove_all(folder_);
    storage_ = *OpenCheckpointStore({folder_.string(), {}});
  }
  ~ReceivedTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::shared_ptr<CheckpointStore> storage_;
};

TEST_F(ReceivedTest, WhatIsStoredIsGivenOnceAndCanBeReadAgain) {
  Owner owner(storage_);
  std::string at = kBegin;
  EXPECT_THAT(owner.Take(at), IsEmpty());
  EXPECT_EQ(at, kBegin) << "no records, the same position";
  ASSERT_TRUE(owner.Store({"a", "b"}).ok());
  ASSERT_TRUE(owner.Store({"c"}).ok());
  EXPECT_THAT(owner.Take(at, 1), ElementsAre("a"));
  const std::string after_a = at;
  EXPECT_THAT(owner.Take(at), ElementsAre("b", "c"));
  EXPECT_THAT(owner.Take(at), IsEmpty());
  EXPECT_THAT(owner.Again(kBegin, after_a), ElementsAre("a"));
  EXPECT_THAT(owner.Again(after_a, at), ElementsAre("b", "c"));
  std::string back = after_a;  // a cut that never became a plan
  EXPECT_THAT(owner.Take(back), ElementsAre("b", "c"));
}

TEST_F(ReceivedTest, AnotherOwnerGoesOnAndTheOneBeforeMayAcknowledgeNothingMore) {
  Owner first(storage_);
  std::string at = kBegin;
  ASSERT_TRUE(first.Store({"a"}, true).ok());
  EXPECT_THAT(first.Take(at), ElementsAre("a"));
  ASSERT_TRUE(first.Store({"b"}, true).ok());
  Owner second(storage_);
  EXPECT_TRUE(absl::IsAborted(first.Store({"c"}, true)));
  ASSERT_TRUE(second.Store({"b", "c", "c"}, true).ok()) << "b comes again, for nobody had acknowledged it";
  EXPECT_THAT(second.Take(at), ElementsAre("b", "c"));
  EXPECT_THAT(second.Again(kBegin, at), ElementsAre("a", "b", "c"));
}

TEST_F(ReceivedTest, WhatIsDoneWithIsDeletedButTheNewest) {
  Owner owner(storage_);
  std::string at = kBegin;
  for (std::size_t i = 0; i < ReceivedLog::kNewestKept + 10; ++i) ASSERT_TRUE(owner.Store({std::to_string(i)}).ok());
  EXPECT_EQ(owner.Take(at).size(), ReceivedLog::kNewestKept + 10);
  owner.reader->Forget(kBegin);
  EXPECT_EQ(storage_->List(kLog)->size(), ReceivedLog::kNewestKept + 11) << "and a claim";
  owner.reader->Forget(at);
  EXPECT_EQ(storage_->List(kLog)->size(), ReceivedLog::kNewestKept);
  EXPECT_TRUE(absl::IsDataLoss(owner.reader->Read(kBegin, at).status()));
}

TEST_F(ReceivedTest, DamageIsFoundAndNamed) {
  std::string at = kBegin;
  {
    Owner owner(storage_);
    ASSERT_TRUE(owner.Store({"precious"}).ok());
    owner.Take(at);
  }
  const std::filesystem::path file = folder_ / kLog / "00000000000000000001.log";
  const auto size = std::filesystem::file_size(file);
  Owner owner(storage_);
  for (std::uintmax_t i = 0; i < size; ++i) {
    std::FILE* f = std::fopen(file.c_str(), "r+");
    ASSERT_NE(f, nullptr);
    const auto flip = [&] {
      std::fseek(f, static_cast<long>(i), SEEK_SET);
      const int byte = std::fgetc(f);
      std::fseek(f, static_cast<long>(i), SEEK_SET);
      std::fputc(byte ^ 0x10, f);
      std::fflush(f);
    };
    flip();
    const absl::Status status = owner.reader->Read(kBegin, at).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << i;
    EXPECT_THAT(std::string(status.message()), HasSubstr("00000000000000000001.log")) << i;
    flip();
    std::fclose(f);
  }
  EXPECT_THAT(owner.Again(kBegin, at), ElementsAre("precious"));
  std::filesystem::resize_file(file, size - 1);
  EXPECT_TRUE(absl::IsDataLoss(owner.reader->Read(kBegin, at).status()));
}

TEST_F(ReceivedTest, StoreWaitsWhenTooMuchIsHeldAndADrainLetsItThrough) {
  Owner owner(storage_);
  const std::string large(std::size_t{16} << 20, 'x');
  ASSERT_TRUE(owner.Store({large}).ok());
  ASSERT_TRUE(owner.Store({large}).ok());
  std::future<absl::Status> third = std::async(std::launch::async, [&] { return owner.Store({"third"}); });
  EXPECT_EQ(third.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  std::string at = kBegin;
  owner.reader->Drain();
  EXPECT_TRUE(third.get().ok());
  EXPECT_EQ(owner.Take(at).size(), 3u);
}

}  // namespace
}  // namespace millrace
