#include "common/object_store/s3_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(S3Credentials, ComeFromAFile) {
  const auto found = ParseS3Credentials(
      "# ours\r\n[other]\naws_access_key_id = no\n[default]\naws_access_key_id=AK\n aws_secret_access_key = s/e+c \n"
      "aws_session_token = t\nregion = eu-1\n[last]\naws_access_key_id = no\n",
      "file");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, (S3Credentials{"AK", "s/e+c", "t"}));
  EXPECT_TRUE(ParseS3Credentials("aws_access_key_id=a\naws_secret_access_key=b", "file").ok());
}

TEST(S3Credentials, AreCheckedAndNeverTold) {
  EXPECT_THAT(Message(ParseS3Credentials("[default]\nhush-hush\n", "file").status()),
              AllOf(HasSubstr("file:2"), Not(HasSubstr("hush"))));
  EXPECT_THAT(Message(ParseS3Credentials("[default]\naws_secret_access_key = hush\n", "file").status()),
              AllOf(HasSubstr("no aws_access_key_id"), Not(HasSubstr("hush"))));
  EXPECT_THAT(Message(ParseS3Credentials("aws_access_key_id = a b\naws_secret_access_key = hush\n", "file").status()),
              AllOf(HasSubstr("blanks"), Not(HasSubstr("hush"))));
}

TEST(S3Credentials, AFileThatOthersCanWriteIsRefused) {
  testing::ScratchDirectory dir;
  const std::string file = dir / "credentials";
  std::ofstream(file) << "aws_access_key_id=a\naws_secret_access_key=b\n";
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  EXPECT_TRUE(LoadS3Credentials(file).ok());
  ASSERT_EQ(::chmod(file.c_str(), 0660), 0);
  const auto refused = LoadS3Credentials(file);
  EXPECT_TRUE(absl::IsPermissionDenied(refused.status()));
  EXPECT_THAT(Message(refused.status()), HasSubstr("chmod 600"));
  EXPECT_TRUE(absl::IsNotFound(LoadS3Credentials(dir / "none").status()));
}

TEST(S3Credentials, ComeFromTheEnvironment) {
  ::unsetenv("AWS_ACCESS_KEY_ID");
  ::unsetenv("AWS_SESSION_TOKEN");
  ::setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
  const auto none = LoadS3Credentials("");
  EXPECT_TRUE(absl::IsFailedPrecondition(none.status()));
  EXPECT_THAT(Message(none.status()), HasSubstr("AWS_ACCESS_KEY_ID"));
  ::setenv("AWS_ACCESS_KEY_ID", "k", 1);
  EXPECT_EQ(*LoadS3Credentials(""), (S3Credentials{"k", "s", ""}));
}

}  // namespace
}  // namespace millrace
