// Files in a real S3 server, as a source and as a sink.
#include <gmock/gmock.h>

#include "common/object_store/s3_writer.h"
#include "tests/common/object_store/s3_server.h"
#include "tests/connectors/collect.h"

namespace millrace {
namespace {

using ::millrace::testing::S3Server;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FilesInS3 : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = S3Server::Start();
    if (!server_) GTEST_SKIP() << S3Server::kMissing;
    client_ = *S3Client::Make(server_->options());
  }
  engine::Options Options(engine::Options more = {}) const {
    more.insert({{"directory", "s3://test/data"},
                 {"s3_endpoint", server_->endpoint()},
                 {"s3_credentials_file", server_->credentials_file()}});
    return more;
  }
  void Put(const std::string& name, const std::string& text) {
    ASSERT_TRUE(client_->Put({"test", "data/" + name}, text, S3Put::kReplace).ok());
  }
  std::unique_ptr<Source> MakeFiles(engine::Options more = {}) {
    auto source = MakeSource(Describe("files", Options(std::move(more))), {"j1"});
    EXPECT_TRUE(source.ok()) << source.status();
    return std::move(*source);
  }
  std::unique_ptr<SinkWriter> Writer(const std::string& job = "j1", engine::Options more = {}) {
    auto sink = MakeSink(Describe("files", Options(std::move(more))));
    EXPECT_TRUE(sink.ok()) << sink.status();
    SinkPartition partition;
    partition.job_id = job;
    partition.sink = "out";
    partition.stage = 1;
    auto writer = (*sink)->NewWriter(partition);
    sinks_.push_back(std::move(*sink));
    return std::move(*writer);
  }
  static RowBuffer Rows(const std::vector<std::string>& values) {
    RowBuffer rows;
    for (const std::string& value : values) {
      const engine::SinkRow row{"", value, false};
      rows.Append({&row, 1});
    }
    return rows;
  }
  std::vector<std::string> Keys() {
    const auto objects = client_->List("test", "data/out");
    EXPECT_TRUE(objects.ok()) << objects.status();
    std::vector<std::string> keys;
    for (const S3Object& object : *objects) keys.push_back(object.key);
    return keys;
  }

  std::unique_ptr<S3Server> server_;
  std::unique_ptr<S3Client> client_;
  std::vector<std::unique_ptr<Sink>> sinks_;
};

TEST_F(FilesInS3, ObjectsAreReadAsFiles) {
  Put("a.log", "1\n2\n3\n");
  Put("deep/er/b.log", "4\n");
  Put("_hidden/c.log", "no\n");
  Put("d.txt", "no\n");
  auto source = MakeFiles({{"pattern", "*.log"}});
  const auto list = source->ListSplits();
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->splits.size(), 2u);
  EXPECT_TRUE(list->splits[1].split.starts_with("deep/er/b.log#"));
  auto reader = *source->OpenSplit(list->splits[0].split, "0");
  auto range = reader->Close("0", 2);
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_THAT(Values(Drain(*range->data)), ElementsAre("1", "2"));
  EXPECT_EQ(range->end, "4");
  auto again = reader->Read("2", "6");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(Values(Drain(**again)), ElementsAre("2", "3"));
}

TEST_F(FilesInS3, TheSameBytesAgainAreTheSameFileAndOthersAreNot) {
  Put("a.log", "1\n2\n");
  auto source = MakeFiles();
  const std::string split = source->ListSplits()->splits[0].split;
  Put("a.log", "1\n2\n");
  EXPECT_EQ(source->ListSplits()->splits[0].split, split);
  Put("a.log", "3\n");
  EXPECT_NE(source->ListSplits()->splits[0].split, split);
  auto reader = *source->OpenSplit(split, "0");
  EXPECT_THAT(ErrorOf(reader->Close("0", 0)), HasSubstr("was put anew with other bytes"));
  EXPECT_THAT(ErrorOf(reader->Close("4", 0)), HasSubstr("was put anew with other bytes"));
  ASSERT_TRUE(client_->Delete({"test", "data/a.log"}).ok());
  EXPECT_THAT(ErrorOf(reader->Close("0", 0)), HasSubstr("is gone"));
}

TEST_F(FilesInS3, ABucketThatIsNotThereIsSaid) {
  auto source = MakeFiles({{"directory", "s3://nowhere/x"}});
  const auto list = source->ListSplits();
  EXPECT_FALSE(list.ok());
  EXPECT_THAT(ErrorOf(list), HasSubstr("nowhere"));
}

TEST_F(FilesInS3, ABatchIsAnObjectThatAppearsAtItsCommit) {
  auto writer = Writer();
  ASSERT_EQ(*writer->Open(), 0u);
  ASSERT_TRUE(writer->Stage(1, 0, Rows({"a", "b"})).ok());
  EXPECT_THAT(Keys(), IsEmpty());
  ASSERT_TRUE(writer->Commit(1).ok());
  EXPECT_THAT(Keys(), ElementsAre("data/out-1-0-000000000001.txt"));
  ASSERT_TRUE(writer->Stage(2, 0, Rows({})).ok());
  ASSERT_TRUE(writer->Commit(2).ok());
  ASSERT_TRUE(writer->Stage(3, 0, Rows({"c"})).ok());
  auto next = Writer();  // the first is lost before its commit
  EXPECT_EQ(*next->Open(), 1u);
  ASSERT_TRUE(next->Stage(3, 0, Rows({"c"})).ok());
  ASSERT_TRUE(next->Commit(3).ok());
  EXPECT_TRUE(writer->Commit(3).ok());  // a zombie's copy of the same rows changes nothing
  EXPECT_EQ(Keys().size(), 2u);
  EXPECT_EQ(client_->Get({"test", "data/out-1-0-000000000003.txt"}, 0, 100)->data, "c\n");
}

TEST_F(FilesInS3, AnotherJobsOutputIsNotTakenForOnesOwn) {
  ASSERT_TRUE(Writer("j1")->Open().ok());
  const auto opened = Writer("j2")->Open();
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(ErrorOf(opened), HasSubstr("job j1"));
}

TEST_F(FilesInS3, LargeBatchesGoUpInPartsAndTheNextOwnerTakesBackWhatIsLeft) {
  const std::vector<std::string> large(40, std::string(1 << 20, 'x'));
  auto writer = Writer();
  ASSERT_TRUE(writer->Open().ok());
  ASSERT_TRUE(writer->Stage(1, 0, Rows(large)).ok());
  EXPECT_EQ(client_->ListUploads("test", "data/")->size(), 1u);
  auto next = Writer();
  ASSERT_EQ(*next->Open(), 0u);
  EXPECT_EQ(client_->ListUploads("test", "data/")->size(), 0u);
  EXPECT_FALSE(writer->Commit(1).ok());  // its fence
  EXPECT_THAT(Keys(), IsEmpty());
  ASSERT_TRUE(next->Stage(1, 0, Rows(large)).ok());
  ASSERT_TRUE(next->Commit(1).ok());
  EXPECT_EQ(client_->List("test", "data/out")->at(0).bytes, 40u * ((1 << 20) + 1));
}

TEST_F(FilesInS3, WhatTheSinkPacksTheSourceReads) {
  auto writer = Writer("j1", {{"compression", "zstd"}});
  ASSERT_TRUE(writer->Open().ok());
  ASSERT_TRUE(writer->Stage(1, 0, Rows({"a", "b"})).ok());
  ASSERT_TRUE(writer->Commit(1).ok());
  auto source = MakeFiles();
  const auto list = source->ListSplits();
  ASSERT_EQ(list->splits.size(), 1u);
  EXPECT_TRUE(list->splits[0].split.starts_with("out-1-0-000000000001.txt.zst#"));
  auto reader = *source->OpenSplit(list->splits[0].split, "0");
  EXPECT_THAT(Values(Drain(*reader->Close("0", 0)->data)), ElementsAre("a", "b"));
}

TEST_F(FilesInS3, AStoreThatRestartsIsWaitedFor) {
  Put("a.log", "1\n");
  auto source = MakeFiles();
  auto writer = Writer();
  ASSERT_TRUE(writer->Open().ok());
  server_->Kill();
  std::thread restart([this] { server_->Restart(); });
  EXPECT_TRUE(source->ListSplits().ok());
  EXPECT_TRUE(writer->Stage(1, 0, Rows({"a"})).ok());
  EXPECT_TRUE(writer->Commit(1).ok());
  restart.join();
  EXPECT_EQ(Keys().size(), 1u);
}

}  // namespace
}  // namespace millrace
