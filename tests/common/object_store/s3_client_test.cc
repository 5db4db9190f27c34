#include "common/object_store/s3_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "common/object_store/s3_writer.h"
#include "tests/common/object_store/s3_server.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::LossyRelay;
using ::testing::Not;
using testing::S3Server;
using testing::WriteTextFile;

class S3ClientTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = S3Server::Start().release(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << S3Server::kMissing;
    server_->Restart();  // if a test has left it down
    client_ = Client(server_->options());
  }

  static std::unique_ptr<S3Client> Client(S3Options options) {
    auto client = S3Client::Make(std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }
  static S3Url At(const std::string& key) { return {"test", key}; }
  std::string Read(const S3Url& object) {
    const auto piece = client_->Get(object, 0, std::size_t{64} << 20);
    return piece.ok() ? piece->data : Concat("<", Message(piece.status()), ">");
  }
  std::size_t Uploads() { return client_->ListUploads("test", "")->size(); }

  static S3Server* server_;
  std::unique_ptr<S3Client> client_;
};
S3Server* S3ClientTest::server_ = nullptr;

std::string Noise(std::size_t bytes) {
  std::string data(bytes, '\0');
  std::uint32_t x = 1;
  for (char& c : data) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  return data;
}

TEST_F(S3ClientTest, GivesBackWhatWasPut) {
  const std::string data = Noise(100'000);
  ASSERT_TRUE(client_->Put(At("a/b c+d&é"), data, S3Put::kOnlyNew).ok());
  EXPECT_EQ(Read(At("a/b c+d&é")), data);
  const auto middle = client_->Get(At("a/b c+d&é"), 1000, 50);
  EXPECT_EQ(middle->data, data.substr(1000, 50));
  EXPECT_EQ(middle->object_bytes, data.size());
  EXPECT_EQ(client_->Get(At("a/b c+d&é"), data.size() - 3, 50)->data, data.substr(data.size() - 3));
  EXPECT_EQ(client_->Get(At("a/b c+d&é"), data.size(), 50)->data, "");
  ASSERT_TRUE(client_->Put(At("empty"), "", S3Put::kOnlyNew).ok());
  EXPECT_EQ(client_->Get(At("empty"), 0, 50)->data, "");
  EXPECT_TRUE(absl::IsNotFound(client_->Get(At("none"), 0, 50).status()));
}

TEST_F(S3ClientTest, AnObjectIsReplacedOnlyWhenThatIsWanted) {
  ASSERT_TRUE(client_->Put(At("once"), "first", S3Put::kOnlyNew).ok());
  const absl::Status second = client_->Put(At("once"), "second", S3Put::kOnlyNew);
  EXPECT_TRUE(absl::IsAlreadyExists(second)) << second;
  EXPECT_EQ(Read(At("once")), "first");
  ASSERT_TRUE(client_->Put(At("once"), "third", S3Put::kReplace).ok());
  EXPECT_EQ(Read(At("once")), "third");
  ASSERT_TRUE(client_->Delete(At("once")).ok());
  EXPECT_TRUE(client_->Delete(At("once")).ok());
  EXPECT_TRUE(absl::IsNotFound(client_->Get(At("once"), 0, 1).status()));
}

TEST_F(S3ClientTest, ListsEveryPage) {
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(client_->Put(At(Concat("list/", i + 10, " &")), "x", S3Put::kReplace).ok());
  const auto all = client_->List("test", "list/1");
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 10u);
  EXPECT_EQ(all->front().key, "list/10 &");
  EXPECT_EQ(all->back().bytes, 1u);
  EXPECT_TRUE(client_->List("test", "nothing/")->empty());
}

TEST_F(S3ClientTest, ListsMoreThanAPage) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < 1010; i += 4) {
        ASSERT_TRUE(client_->Put(At(Concat("many/", 1000 + i)), "x", S3Put::kReplace).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto all = client_->List("test", "many/");
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 1010u);
  for (int i = 0; i < 1010; ++i) EXPECT_EQ((*all)[static_cast<std::size_t>(i)].key, Concat("many/", 1000 + i));
}

TEST_F(S3ClientTest, LongObjectsGoUpInParts) {
  const std::string data = Noise(2 * kS3PartBytes + 12345);
  for (const std::size_t bytes : {data.size(), 2 * kS3PartBytes, kS3PartBytes, kS3PartBytes + 1}) {
    const S3Url object = At(Concat("long/", bytes));
    S3Writer writer(*client_, object, S3Put::kOnlyNew);
    for (std::size_t at = 0; at < bytes; at += 1'000'000) {
      ASSERT_TRUE(writer.Append(std::string_view(data).substr(at, std::min<std::size_t>(1'000'000, bytes - at))).ok());
    }
    EXPECT_TRUE(absl::IsNotFound(client_->Get(object, 0, 1).status())) << "nothing is seen before Commit";
    ASSERT_TRUE(writer.Commit().ok());
    EXPECT_TRUE(Read(object) == data.substr(0, bytes));
  }
  EXPECT_EQ(Uploads(), 0u);
}

TEST_F(S3ClientTest, AWriterThatIsNotCommittedLeavesNothing) {
  {
    S3Writer writer(*client_, At("left"), S3Put::kOnlyNew);
    ASSERT_TRUE(writer.Append(Noise(kS3PartBytes + 1)).ok());
    EXPECT_EQ(Uploads(), 1u);
  }
  EXPECT_EQ(Uploads(), 0u);
  EXPECT_TRUE(absl::IsNotFound(client_->Get(At("left"), 0, 1).status()));
}

TEST_F(S3ClientTest, OfTwoWritersOfOneNameOneWins) {
  const std::string one = Noise(kS3PartBytes + 1), two(kS3PartBytes + 2, 'x');
  S3Writer first(*client_, At("race"), S3Put::kOnlyNew), second(*client_, At("race"), S3Put::kOnlyNew);
  ASSERT_TRUE(first.Append(one).ok());
  ASSERT_TRUE(second.Append(two).ok());
  ASSERT_TRUE(first.Commit().ok());
  const absl::Status lost = second.Commit();
  EXPECT_TRUE(absl::IsAlreadyExists(lost)) << lost;
  EXPECT_TRUE(Read(At("race")) == one);
  EXPECT_EQ(Uploads(), 0u);
}

TEST_F(S3ClientTest, WhatAnAttemptHasDoneIsRecognisedWhenItsAnswerIsLost) {
  LossyRelay relay(server_->port());
  S3Options options = server_->options();
  options.endpoint = relay.endpoint();
  const auto client = Client(options);
  relay.LoseAnswers(1);
  const absl::Status put = client->Put(At("lost/a"), "mine", S3Put::kOnlyNew);
  EXPECT_TRUE(put.ok()) << put;
  EXPECT_EQ(relay.lost(), 1);
  EXPECT_EQ(Read(At("lost/a")), "mine");

  relay.LoseAnswers(1);
  EXPECT_TRUE(absl::IsAlreadyExists(client->Put(At("lost/a"), "other", S3Put::kOnlyNew))) << "that one is not ours";

  S3Writer writer(*client, At("lost/b"), S3Put::kOnlyNew);
  ASSERT_TRUE(writer.Append(Noise(kS3PartBytes + 1)).ok());
  relay.LoseAnswers(1);  // of the last part; then of the end
  ASSERT_TRUE(writer.Commit().ok());
  EXPECT_EQ(Read(At("lost/b")).size(), kS3PartBytes + 1);

  const std::string token = NewS3Token();
  const auto upload = client->BeginUpload(At("lost/c"), token);
  ASSERT_TRUE(upload.ok()) << upload.status();
  const auto tag = client->PutPart(At("lost/c"), *upload, 1, "whole");
  ASSERT_TRUE(tag.ok()) << tag.status();
  relay.LoseAnswers(1);
  const absl::Status completed = client->CompleteUpload(At("lost/c"), *upload, {*tag}, token, S3Put::kOnlyNew);
  EXPECT_TRUE(completed.ok()) << completed;
  EXPECT_EQ(Read(At("lost/c")), "whole");
}

TEST_F(S3ClientTest, LivesThroughARestartInTheMiddleOfAnUpload) {
  S3Options options = server_->options();
  options.attempts = 12;
  const auto client = Client(options);
  const std::string data = Noise(4 * kS3PartBytes);
  S3Writer writer(*client, At("through"), S3Put::kOnlyNew);
  ASSERT_TRUE(writer.Append(std::string_view(data).substr(0, kS3PartBytes + 1)).ok());
  server_->Kill();
  std::thread back([] { server_->Restart(); });
  EXPECT_TRUE(writer.Append(std::string_view(data).substr(kS3PartBytes + 1)).ok());
  const absl::Status status = writer.Commit();
  back.join();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(Read(At("through")) == data);
}

TEST_F(S3ClientTest, AnEndpointThatIsAwayIsNamed) {
  server_->Kill();
  S3Options options = server_->options();
  options.attempts = 2;
  const absl::Status status = Client(options)->Put(At("x"), "x", S3Put::kOnlyNew);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(Message(status),
              AllOf(HasSubstr("s3://test/x"), HasSubstr(server_->endpoint()), HasSubstr("check the endpoint")));
}

TEST_F(S3ClientTest, AFrozenStoreIsGivenUpInTime) {
  S3Options options = server_->options();
  options.attempts = 2;
  const auto client = Client(options);
  ASSERT_TRUE(client->Put(At("cold"), "x", S3Put::kReplace).ok());
  server_->Freeze();
  const auto begun = std::chrono::steady_clock::now();
  const absl::Status status = client->Put(At("cold"), "y", S3Put::kReplace);
  const auto took = std::chrono::steady_clock::now() - begun;
  server_->Thaw();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_LT(took, std::chrono::seconds(15));
}

TEST_F(S3ClientTest, WrongCredentialsAreRefusedAndNotTold) {
  testing::ScratchDirectory dir;
  S3Options options = server_->options();
  options.credentials_file = dir / "credentials";
  WriteTextFile(options.credentials_file, "aws_access_key_id=millrace\naws_secret_access_key=not-the-secret\n");
  const auto client = Client(options);
  const absl::Status wrong_secret = client->Put(At("x"), "x", S3Put::kOnlyNew);
  EXPECT_TRUE(absl::IsPermissionDenied(wrong_secret)) << wrong_secret;
  EXPECT_THAT(Message(wrong_secret), AllOf(HasSubstr(options.credentials_file), HasSubstr("SignatureDoesNotMatch"),
                                           Not(HasSubstr("not-the-secret"))));
  WriteTextFile(options.credentials_file, "aws_access_key_id=nobody\naws_secret_access_key=not-the-secret\n");
  const absl::Status wrong_key = client->Put(At("x"), "x", S3Put::kOnlyNew);
  EXPECT_TRUE(absl::IsPermissionDenied(wrong_key)) << wrong_key;
  EXPECT_THAT(Message(wrong_key), HasSubstr("does not know the key"));
}

TEST_F(S3ClientTest, CredentialsThatArePutInOrderAreTakenWithoutARestart) {
  testing::ScratchDirectory dir;
  S3Options options = server_->options();
  options.credentials_file = dir / "credentials";
  WriteTextFile(options.credentials_file, "aws_access_key_id=millrace\naws_secret_access_key=old\n");
  const auto client = Client(options);
  EXPECT_FALSE(client->Put(At("x"), "x", S3Put::kReplace).ok());
  std::filesystem::copy_file(server_->credentials_file(), options.credentials_file,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(client->Put(At("x"), "x", S3Put::kReplace).ok());
}

TEST_F(S3ClientTest, AMissingBucketIsNamed) {
  for (const absl::Status& status :
       {client_->Put({"no-such-bucket", "x"}, "x", S3Put::kOnlyNew),
        client_->Get({"no-such-bucket", "x"}, 0, 1).status(), client_->List("no-such-bucket", "").status()}) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(Message(status), AllOf(HasSubstr("no-such-bucket"), HasSubstr("make the bucket")));
  }
}

TEST_F(S3ClientTest, FlippedBytesInTheStoreAreFound) {
  ASSERT_TRUE(client_->Put(At("rot"), Noise(1000), S3Put::kOnlyNew).ok());
  std::fstream file(server_->FileOf("rot"), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(500);
  file.put('!');
  file.close();
  const auto piece = client_->Get(At("rot"), 0, 1 << 20);
  EXPECT_TRUE(absl::IsDataLoss(piece.status())) << piece.status();
}

TEST_F(S3ClientTest, AServerThatIsNoS3StoreIsRecognised) {
  S3Options options = server_->options();
  options.endpoint = "http://127.0.0.1:1";
  options.attempts = 1;
  EXPECT_TRUE(absl::IsUnavailable(Client(options)->List("test", "").status()));
  options.endpoint = "https://127.0.0.1:" + std::to_string(server_->port());
  const absl::Status status = Client(options)->List("test", "").status();
  EXPECT_THAT(Message(status), HasSubstr("is it https"));
}

}  // namespace
}  // namespace millrace
