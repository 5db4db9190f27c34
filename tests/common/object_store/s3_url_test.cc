#include "common/object_store/s3_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::HasSubstr;

TEST(S3Url, IsReadAndWritten) {
  EXPECT_EQ(*ParseS3Url("s3://state"), (S3Url{"state", ""}));
  EXPECT_EQ(*ParseS3Url("s3://state/"), (S3Url{"state", ""}));
  EXPECT_EQ(*ParseS3Url("s3://my.state-1/a/b c/"), (S3Url{"my.state-1", "a/b c"}));
  EXPECT_EQ(ToString(*ParseS3Url("s3://state/a/")), "s3://state/a");
  EXPECT_EQ(ToString(*ParseS3Url("s3://state")), "s3://state");
}

TEST(S3Url, SaysWhatIsWrong) {
  for (const char* text : {"", "s3:/x", "http://x/y", "s3://", "s3://ab", "s3://Upper/x", "s3://a_b/x", "s3://-ab/x",
                           "s3://abc//x", "s3://abc/x//y", "s3://abc/x\ny"}) {
    const auto url = ParseS3Url(text);
    ASSERT_TRUE(absl::IsInvalidArgument(url.status())) << text;
    EXPECT_THAT(Message(url.status()), HasSubstr(Concat("'", text, "'")));
  }
}

TEST(S3Url, EncodesForTheSignature) {
  EXPECT_EQ(EncodeS3Key("a/b c+d~é"), "a/b%20c%2Bd~%C3%A9");
  EXPECT_EQ(EncodeS3Argument("a/b"), "a%2Fb");
  EXPECT_EQ(DecodeS3Key("a/b%20c%2Bd~%C3%A9+%zz%"), "a/b c+d~é %zz%");
  EXPECT_EQ(S3Query({{"uploads", ""}, {"prefix", "a/b"}, {"max-keys", "7"}}), "max-keys=7&prefix=a%2Fb&uploads=");
}

TEST(S3Url, ChecksEndpoints) {
  for (const char* good : {"https://s3.eu-1.amazonaws.com", "http://127.0.0.1:9000", "http://[::1]:9000"}) {
    EXPECT_TRUE(CheckS3Endpoint(good).ok()) << good;
  }
  for (const char* bad : {"", "s3.example.com", "https://", "https://host/bucket", "ftp://host", "https://user@host"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckS3Endpoint(bad))) << bad;
  }
  EXPECT_TRUE(IsLoopbackEndpoint("http://127.0.0.1:9000"));
  EXPECT_FALSE(IsLoopbackEndpoint("http://store:9000"));
}

}  // namespace
}  // namespace millrace
