#include "common/object_store/s3_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kNow = 1'790'000'000;  // Mon, 21 Sep 2026 14:13:20 GMT

S3Refusal Read(int code, const std::string& name, const std::string& message = "",
               std::map<std::string, std::string> headers = {}) {
  HttpReply reply;
  reply.code = code;
  reply.headers = std::move(headers);
  if (!name.empty()) reply.body = Concat("<Error><Code>", name, "</Code><Message>", message, "</Message></Error>");
  return ReadS3Refusal(reply, "put s3://b/k at http://h", "/etc/s3", kNow);
}

TEST(S3Error, SaysWhatWhereWhyAndWhatToDo) {
  const S3Refusal refusal = Read(403, "SignatureDoesNotMatch", "The signature differs", {{"x-amz-request-id", "R17"}});
  EXPECT_TRUE(absl::IsPermissionDenied(refusal.status));
  EXPECT_TRUE(refusal.about_who_we_are);
  EXPECT_FALSE(refusal.again);
  EXPECT_EQ(Message(refusal.status),
            "cannot put s3://b/k at http://h: SignatureDoesNotMatch (HTTP 403): The signature differs; the store does "
            "not know the key, or the secret is not the key's: correct /etc/s3 [request R17]");
}

TEST(S3Error, KindsAreTheCallersToActOn) {
  EXPECT_TRUE(absl::IsNotFound(Read(404, "NoSuchKey").status));
  EXPECT_TRUE(absl::IsNotFound(Read(404, "NoSuchUpload").status));
  EXPECT_TRUE(absl::IsUnavailable(Read(404, "").status)) << "a proxy may have said that";
  EXPECT_TRUE(absl::IsUnavailable(Read(404, "NoSuchBucket").status));
  EXPECT_THAT(Message(Read(404, "NoSuchBucket").status), HasSubstr("make the bucket"));
  EXPECT_TRUE(absl::IsAlreadyExists(Read(412, "PreconditionFailed").status));
  EXPECT_TRUE(absl::IsResourceExhausted(Read(507, "XMinioStorageFull").status));
  EXPECT_TRUE(absl::IsPermissionDenied(Read(403, "").status));
  EXPECT_TRUE(absl::IsUnavailable(Read(500, "InternalError").status));
}

TEST(S3Error, OnlyPassingTroubleIsTriedAgain) {
  for (const auto& [code, name] : std::map<int, std::string>{
           {500, "InternalError"}, {503, "SlowDown"}, {429, ""}, {409, "ConditionalRequestConflict"}, {408, ""}}) {
    EXPECT_TRUE(Read(code, name).again) << code;
  }
  EXPECT_TRUE(Read(400, "RequestTimeout").again);
  for (const int code : {301, 400, 403, 404, 412, 416, 501, 507}) EXPECT_FALSE(Read(code, "").again) << code;
}

TEST(S3Error, AWrongClockIsNamedWithItsError) {
  const std::map<std::string, std::string> date{{"date", "Mon, 21 Sep 2026 13:43:20 GMT"}};
  EXPECT_THAT(Message(Read(403, "RequestTimeTooSkewed", "", date).status),
              HasSubstr("set this machine's clock: it is 1800 s ahead of the store's"));
  EXPECT_THAT(Message(Read(403, "AccessDenied", "", date).status), HasSubstr("1800 s ahead"));
  EXPECT_THAT(Message(Read(403, "RequestTimeTooSkewed").status), HasSubstr("set this machine's clock"));
}

TEST(S3Error, AnotherRegionIsNamed) {
  EXPECT_THAT(Message(Read(301, "PermanentRedirect", "", {{"x-amz-bucket-region", "eu-7"}}).status),
              HasSubstr("set the region to eu-7"));
}

TEST(S3Error, WhatIsNoS3AnswerIsStillAnError) {
  HttpReply reply;
  reply.code = 502;
  reply.body = "<html>Bad gateway\x01</html>";
  const S3Refusal refusal = ReadS3Refusal(reply, "get x", "/etc/s3", kNow);
  EXPECT_TRUE(refusal.again);
  EXPECT_EQ(Message(refusal.status), "cannot get x: HTTP 502");
}

}  // namespace
}  // namespace millrace
