#include "common/object_store/s3_error.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>

#include "common/object_store/xml.h"

namespace millrace {
namespace {

constexpr std::size_t kMessageBytesMax = 500;

// Signatures hold for fifteen minutes.
constexpr std::int64_t kSkewMaxS = 15 * 60;

bool IsOneOf(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::ranges::find(codes, code) != codes.end();
}

std::string Printable(std::string text) {
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (text.size() > kMessageBytesMax) text.resize(kMessageBytesMax);
  return text;
}

std::string ClockRemedy(const HttpReply& reply, std::int64_t now_s) {
  const std::time_t theirs = curl_getdate(reply.Header("date").c_str(), nullptr);
  if (theirs <= 0) return "set this machine's clock: it is more than 15 minutes off";
  const std::int64_t ahead = now_s - static_cast<std::int64_t>(theirs);
  return Concat("set this machine's clock: it is ", ahead < 0 ? -ahead : ahead, " s ",
                ahead < 0 ? "behind" : "ahead of", " the store's");
}

std::string Remedy(const HttpReply& reply, std::string_view code, std::string_view credentials, std::int64_t now_s) {
  const std::time_t theirs = curl_getdate(reply.Header("date").c_str(), nullptr);
  const std::int64_t skew = theirs <= 0 ? 0 : now_s - static_cast<std::int64_t>(theirs);
  if (code == "RequestTimeTooSkewed" || (reply.code == 403 && (skew > kSkewMaxS || skew < -kSkewMaxS)))
    return ClockRemedy(reply, now_s);
  if (code == "NoSuchBucket") return "make the bucket, or correct its name or the endpoint";
  if (IsOneOf(code, {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId",
                     "XAdminUserNotFound"}))
    return Concat("the store does not know the key, or the secret is not the key's: correct ", credentials);
  if (IsOneOf(code, {"ExpiredToken", "TokenRefreshRequired"}))
    return Concat("the credentials are no longer good: put new ones into ", credentials);
  if (IsOneOf(code, {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})) {
    const std::string region = reply.Header("x-amz-bucket-region");
    return Concat("the bucket is in another region: set the region", region.empty() ? "" : Concat(" to ", region),
                  ", and an endpoint of that region");
  }
  if (reply.code == 403) {
    return Concat("allow the key of ", credentials,
                  " to get, put, delete and list objects there, and to abort multipart uploads");
  }
  if (reply.code == 501 || code == "NotImplemented") return "the store lacks what is needed here";
  return {};
}

}  // namespace

S3Refusal ReadS3Refusal(const HttpReply& reply, std::string_view what, std::string_view credentials,
                        std::int64_t now_s) {
  S3Refusal refusal;
  refusal.code = Concat("HTTP ", reply.code);
  std::string message, id = reply.Header("x-amz-request-id");
  if (const auto xml = ParseXml(reply.body); xml.ok() && xml->name == "Error") {
    if (std::string code = xml->Text("Code"); !code.empty()) refusal.code = Printable(std::move(code));
    message = xml->Text("Message");
  }
  const std::string remedy = Remedy(reply, refusal.code, credentials, now_s);
  std::string text = Concat("cannot ", what, ": ", refusal.code);
  if (reply.code != 0 && refusal.code.find(Concat(reply.code)) == std::string::npos)
    text += Concat(" (HTTP ", reply.code, ")");
  if (!message.empty()) text += Concat(": ", Printable(std::move(message)));
  if (!remedy.empty()) text += Concat("; ", remedy);
  if (!id.empty()) text += Concat(" [request ", Printable(std::move(id)), "]");

  refusal.about_who_we_are =
      reply.code == 401 || reply.code == 403 ||
      IsOneOf(refusal.code, {"ExpiredToken", "TokenRefreshRequired", "InvalidToken", "XAdminUserNotFound"});

  absl::StatusCode code = absl::StatusCode::kUnavailable;
  // Any other 404 may come from whoever stands between us and the store.
  if (IsOneOf(refusal.code, {"NoSuchKey", "NoSuchUpload"})) code = absl::StatusCode::kNotFound;
  if (reply.code == 412) code = absl::StatusCode::kAlreadyExists;
  if (refusal.about_who_we_are) code = absl::StatusCode::kPermissionDenied;
  if (refusal.code == "QuotaExceeded" || refusal.code == "XMinioStorageFull" || reply.code == 507)
    code = absl::StatusCode::kResourceExhausted;
  refusal.status = MakeStatus(code, text);
  refusal.again = (reply.code >= 500 && reply.code != 501 && reply.code != 507) || reply.code == 429 ||
                  reply.code == 408 || reply.code == 409 ||
                  IsOneOf(refusal.code, {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable",
                                         "BadDigest", "XAmzContentSHA256Mismatch"});
  return refusal;
}

}  // namespace millrace
