#include "common/object_store/s3_url.h"

#include <algorithm>

namespace millrace {
namespace {

bool IsLower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsPlain(char c) { return IsLower(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~'; }

std::string Encode(std::string_view text, bool keep_slash) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (IsPlain(c) || (keep_slash && c == '/')) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsBucket(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && IsLower(name.front()) && IsLower(name.back()) &&
         std::ranges::all_of(name, [](char c) { return IsLower(c) || c == '-' || c == '.'; });
}

}  // namespace

absl::StatusOr<S3Url> ParseS3Url(std::string_view text) {
  if (!IsS3Url(text))
    return InvalidArgument("'", text, "' is no S3 address: it must be s3://BUCKET or s3://BUCKET/PREFIX");
  const std::string_view rest = text.substr(5);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  S3Url url{std::string(rest.substr(0, slash)), std::string(rest.substr(std::min(slash + 1, rest.size())))};
  while (url.key.ends_with('/')) url.key.pop_back();
  if (!IsBucket(url.bucket)) {
    return InvalidArgument("'", text, "': '", url.bucket,
                           "' is no bucket's name: it must be 3 to 63 lower-case letters, digits, '-' and '.', and "
                           "begin and end with a letter or digit");
  }
  const bool bad_key = url.key.starts_with('/') || url.key.find("//") != std::string::npos || url.key.size() > 500 ||
                       std::ranges::any_of(url.key, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (bad_key) {
    return InvalidArgument("'", text, "': '", url.key,
                           "' is no prefix: it must be at most 500 bytes, without '//' and control characters");
  }
  return url;
}

std::string ToString(const S3Url& url) {
  return url.key.empty() ? Concat("s3://", url.bucket) : Concat("s3://", url.bucket, "/", url.key);
}

std::string EncodeS3Key(std::string_view key) { return Encode(key, true); }
std::string EncodeS3Argument(std::string_view value) { return Encode(value, false); }

std::string DecodeS3Key(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : HexDigit(text[i + 2]);
    if (low >= 0) {
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

std::string S3Query(std::vector<std::pair<std::string, std::string>> arguments) {
  std::sort(arguments.begin(), arguments.end());
  std::string query;
  for (const auto& [name, value] : arguments) {
    query += Concat(query.empty() ? "" : "&", EncodeS3Argument(name), "=", EncodeS3Argument(value));
  }
  return query;
}

absl::Status CheckS3Endpoint(std::string_view endpoint) {
  std::string_view rest;
  if (endpoint.starts_with("https://")) rest = endpoint.substr(8);
  if (endpoint.starts_with("http://")) rest = endpoint.substr(7);
  const bool good =
      !rest.empty() && std::ranges::all_of(rest, [](char c) { return IsPlain(c) || c == ':' || c == '[' || c == ']'; });
  if (good) return absl::OkStatus();
  return InvalidArgument("'", endpoint,
                         "' is no endpoint of an S3 store: it must be https://HOST[:PORT] (or http://…), with nothing "
                         "behind it; the bucket stands in the s3:// address");
}

bool IsLoopbackEndpoint(std::string_view endpoint) {
  const std::size_t host = endpoint.find("://");
  const std::string_view name = host == std::string_view::npos ? endpoint : endpoint.substr(host + 3);
  return name.starts_with("127.") || name.starts_with("localhost") || name.starts_with("[::1]");
}

}  // namespace millrace
