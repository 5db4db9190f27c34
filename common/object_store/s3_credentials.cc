#include "common/object_store/s3_credentials.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "common/io/file.h"

namespace millrace {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{64} << 10;

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// They become headers: a line break or a blank in one is a mistake, and must not become a header of its own.
bool IsClean(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

absl::StatusOr<S3Credentials> Checked(S3Credentials found, std::string_view from) {
  if (IsClean(found.key_id) && IsClean(found.secret) && IsClean(found.session_token)) return found;
  return InvalidArgument("the S3 credentials of ", from, " hold blanks or control characters: copy them once more");
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

absl::StatusOr<S3Credentials> ParseS3Credentials(std::string_view text, std::string_view from) {
  S3Credentials found;
  bool ours = true;  // the lines before the first section are, too
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      ours = line == "[default]";
      continue;
    }
    if (!ours) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      return InvalidArgument(from, ":", number, ": neither 'name = value' nor '[section]'");
    const std::string_view name = Trim(line.substr(0, equals));
    const std::string_view value = Trim(line.substr(equals + 1));
    if (name == "aws_access_key_id") found.key_id = value;
    if (name == "aws_secret_access_key") found.secret = value;
    if (name == "aws_session_token") found.session_token = value;
  }
  if (found.key_id.empty() || found.secret.empty()) {
    return InvalidArgument(from, " has no ", found.key_id.empty() ? "aws_access_key_id" : "aws_secret_access_key",
                           " under [default]: both that and ",
                           found.key_id.empty() ? "aws_secret_access_key" : "aws_access_key_id", " are needed");
  }
  return Checked(std::move(found), from);
}

absl::StatusOr<S3Credentials> LoadS3Credentials(const std::string& file) {
  if (file.empty()) {
    S3Credentials found{Variable("AWS_ACCESS_KEY_ID"), Variable("AWS_SECRET_ACCESS_KEY"),
                        Variable("AWS_SESSION_TOKEN")};
    if (!found.key_id.empty() && !found.secret.empty()) return Checked(std::move(found), "the environment");
    return FailedPrecondition("there are no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the ",
                              "environment, or name a credentials file in the configuration");
  }
  struct stat about {};
  if (::stat(file.c_str(), &about) == 0 && (about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return PermissionDenied("others than its owner can write the S3 credentials file ", file, ": chmod 600 ", file);
  }
  auto text = ReadFile(file, kFileBytesMax);
  if (!text.ok()) return Annotate(text.status(), "S3 credentials");
  return ParseS3Credentials(*text, file);
}

}  // namespace millrace
