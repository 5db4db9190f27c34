#include "common/object_store/s3_client.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <random>
#include <thread>

#include "common/io/sha256.h"
#include "common/object_store/s3_error.h"
#include "common/object_store/xml.h"

namespace millrace {
namespace {

constexpr char kToken[] = "x-amz-meta-millrace-upload";
constexpr char kSha256[] = "x-amz-checksum-sha256";
constexpr std::size_t kReplySlack = std::size_t{64} << 10;  // an error in place of the bytes asked for

std::string RawSha256(std::string_view data) {
  Sha256 hash;
  hash.Update(data);
  return hash.Finish();
}

std::string ToBase64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(n));
  return text;
}

// Half of the wait is fixed, half is left to chance, so that many who were refused together do not come together.
std::chrono::milliseconds Scattered(std::int64_t wait_ms) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const std::int64_t half = std::max<std::int64_t>(1, wait_ms / 2);
  return std::chrono::milliseconds(half + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(half)));
}

// "bytes 0-99/1234" → 1234.
bool ParseTotal(const std::string& content_range, std::uint64_t& total) {
  const std::size_t slash = content_range.rfind('/');
  if (slash == std::string::npos) return false;
  const char* begin = content_range.data() + slash + 1;
  const char* end = content_range.data() + content_range.size();
  const auto [at, error] = std::from_chars(begin, end, total);
  return error == std::errc() && at == end;
}

absl::StatusOr<XmlElement> ParseAnswer(std::string_view body, std::string_view root, std::string_view what) {
  auto xml = ParseXml(body);
  if (xml.ok() && xml->name == root) return xml;
  return Unavailable("cannot ", what, ": the answer is no ", root,
                     xml.ok() ? "" : Concat(" (", Message(xml.status()), ")"), ": is an S3 store what listens there?");
}

}  // namespace

std::string NewS3Token() {
  std::random_device random;
  std::string bytes;
  for (int i = 0; i < 16; ++i) bytes.push_back(static_cast<char>(random()));
  return ToHex(bytes);
}

absl::StatusOr<std::unique_ptr<S3Client>> S3Client::Make(S3Options options) {
  if (options.region.empty()) options.region = "us-east-1";
  if (options.endpoint.empty()) options.endpoint = Concat("https://s3.", options.region, ".amazonaws.com");
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  MR_RETURN_IF_ERROR(CheckS3Endpoint(options.endpoint));
  MR_ASSIGN_OR_RETURN(S3Credentials credentials, LoadS3Credentials(options.credentials_file));
  return std::unique_ptr<S3Client>(new S3Client(std::move(options), std::move(credentials)));
}

S3Client::S3Client(S3Options options, S3Credentials credentials)
    : options_(std::move(options)), http_(options_.http), credentials_(std::move(credentials)) {}

S3Credentials S3Client::credentials() const {
  const std::lock_guard lock(mutex_);
  return credentials_;
}

// Temporary credentials are put into the file again before they run out.
bool S3Client::ReloadCredentials(const S3Credentials& refused) {
  if (options_.credentials_file.empty()) return false;
  auto fresh = LoadS3Credentials(options_.credentials_file);
  if (!fresh.ok()) return false;
  const std::lock_guard lock(mutex_);
  credentials_ = *std::move(fresh);
  return credentials_ != refused;
}

std::string S3Client::What(const Call& call) const {
  return Concat(call.verb, " ", ToString(call.object), " at ", options_.endpoint);
}

S3Client::Answer S3Client::Send(const Call& call) {
  HttpRequest request;
  request.method = call.method;
  request.url = Concat(options_.endpoint, "/", call.object.bucket, call.object.key.empty() ? "" : "/",
                       EncodeS3Key(call.object.key));
  if (!call.query.empty()) request.url += Concat("?", S3Query(call.query));
  request.body = call.body;
  request.reply_max = call.reply_max;
  const std::string credentials_from =
      options_.credentials_file.empty() ? "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" : options_.credentials_file;
  const std::string hash = ToHex(RawSha256(call.body));

  Answer answer{Unavailable("not sent"), {}, false};
  bool reloaded = false;
  std::int64_t wait_ms = options_.first_wait_ms;
  for (int attempt = 1;; ++attempt) {
    const S3Credentials who = credentials();
    request.headers = call.headers;
    request.headers.emplace_back("x-amz-content-sha256", hash);
    if (!who.session_token.empty()) request.headers.emplace_back("x-amz-security-token", who.session_token);
    auto reply = http_.Send(request, {options_.region, who.key_id, who.secret});
    bool again = true;
    if (reply.ok()) {
      // Some stores say 200 first and what went wrong afterwards.
      const bool refused = reply->code >= 300 || (reply->code == 200 && call.method == std::string_view("POST") &&
                                                  reply->body.find("<Error>") != std::string::npos);
      if (!refused) {
        answer.reply = *std::move(reply);
        answer.code.clear();
        return answer;
      }
      if (reply->code == 200) reply->code = 500;
      S3Refusal refusal = ReadS3Refusal(*reply, What(call), credentials_from, std::time(nullptr));
      answer.reply = std::move(refusal.status);
      answer.code = std::move(refusal.code);
      again = refusal.again;
      if (refusal.about_who_we_are && !reloaded && ReloadCredentials(who)) {
        reloaded = true;
        continue;
      }
    } else {
      answer.reply = Annotate(reply.status(), "cannot ", What(call));
      answer.code.clear();
    }
    if (!again || attempt >= options_.attempts) return answer;
    answer.repeated = true;
    std::this_thread::sleep_for(Scattered(wait_ms));
    wait_ms = std::min(2 * wait_ms, options_.longest_wait_ms);
  }
}

absl::StatusOr<S3Piece> S3Client::Get(const S3Url& object, std::uint64_t offset, std::size_t length) {
  MR_CHECK(length > 0);
  Call call{.verb = "get", .method = "GET", .object = object};
  call.headers = {{"range", Concat("bytes=", offset, "-", offset + length - 1)}, {"x-amz-checksum-mode", "ENABLED"}};
  call.reply_max = length + kReplySlack;
  Answer answer = Send(call);
  // Nothing is behind the end; of an empty object, nothing at all.
  if (answer.code == "InvalidRange" || answer.code == "HTTP 416") return S3Piece{{}, offset, {}};
  MR_RETURN_IF_ERROR(answer.reply.status());
  HttpReply& reply = *answer.reply;
  S3Piece piece;
  piece.etag = reply.Header("etag");
  if (reply.code == 200) {  // it knows no ranges, or the object is empty
    piece.object_bytes = reply.body.size();
    if (offset > 0) reply.body.erase(0, std::min<std::size_t>(offset, reply.body.size()));
    if (reply.body.size() > length) reply.body.resize(length);
  } else if (!ParseTotal(reply.Header("content-range"), piece.object_bytes)) {
    return Unavailable("cannot ", What(call), ": the answer does not say how long the object is");
  }
  const std::uint64_t rest = piece.object_bytes - std::min(offset, piece.object_bytes);
  if (reply.body.size() != std::min<std::uint64_t>(length, rest)) {
    return Unavailable("cannot ", What(call), ": ", reply.body.size(), " bytes came of the ",
                       std::min<std::uint64_t>(length, rest), " from ", offset);
  }
  // "…-3" is a checksum of the parts' checksums.
  const std::string expected = reply.Header(kSha256);
  const bool whole = offset == 0 && reply.body.size() == piece.object_bytes;
  if (whole && !expected.empty() && expected.find('-') == std::string::npos &&
      expected != ToBase64(RawSha256(reply.body))) {
    return DataLoss("the bytes of ", ToString(object), " at ", options_.endpoint,
                    " are not those that were put there: their SHA-256 differs");
  }
  piece.data = std::move(reply.body);
  return piece;
}

absl::Status S3Client::Put(const S3Url& object, std::string_view data, S3Put how) {
  const std::string token = NewS3Token();
  Call call{.verb = "put", .method = "PUT", .object = object};
  call.headers = {{"content-type", "application/octet-stream"}, {kToken, token}, {kSha256, ToBase64(RawSha256(data))}};
  if (how == S3Put::kOnlyNew) call.headers.emplace_back("if-none-match", "*");
  call.body = data;
  const Answer answer = Send(call);
  if (absl::IsAlreadyExists(answer.reply.status()) && answer.repeated && IsOurs(object, token)) return absl::OkStatus();
  return answer.reply.status();
}

bool S3Client::IsOurs(const S3Url& object, const std::string& token) {
  const Answer answer = Send({.verb = "look at", .method = "HEAD", .object = object});
  return answer.reply.ok() && answer.reply->Header(kToken) == token;
}

absl::Status S3Client::Delete(const S3Url& object) {
  const absl::Status status = Send({.verb = "delete", .method = "DELETE", .object = object}).reply.status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<std::string> S3Client::BeginUpload(const S3Url& object, const std::string& token) {
  Call call{.verb = "begin to put", .method = "POST", .object = object, .query = {{"uploads", ""}}};
  call.headers = {{"content-type", "application/octet-stream"}, {kToken, token}};
  const Answer answer = Send(call);
  MR_RETURN_IF_ERROR(answer.reply.status());
  MR_ASSIGN_OR_RETURN(const XmlElement xml,
                      ParseAnswer(answer.reply->body, "InitiateMultipartUploadResult", What(call)));
  std::string upload = xml.Text("UploadId");
  if (upload.empty()) return Unavailable("cannot ", What(call), ": the answer names no upload");
  return upload;
}

absl::StatusOr<std::string> S3Client::PutPart(const S3Url& object, const std::string& upload, int number,
                                              std::string_view data) {
  Call call{.verb = "put a part of", .method = "PUT", .object = object};
  call.query = {{"partNumber", Concat(number)}, {"uploadId", upload}};
  call.headers = {{"content-type", "application/octet-stream"}};
  call.body = data;
  const Answer answer = Send(call);
  MR_RETURN_IF_ERROR(answer.reply.status());
  std::string tag = answer.reply->Header("etag");
  if (tag.empty()) return Unavailable("cannot ", What(call), ": the answer has no ETag");
  return tag;
}

absl::Status S3Client::CompleteUpload(const S3Url& object, const std::string& upload,
                                      const std::vector<std::string>& tags, const std::string& token, S3Put how) {
  std::string body = "<CompleteMultipartUpload>";
  for (std::size_t i = 0; i < tags.size(); ++i) {
    body += Concat("<Part><PartNumber>", i + 1, "</PartNumber><ETag>", EscapeXml(tags[i]), "</ETag></Part>");
  }
  body += "</CompleteMultipartUpload>";
  Call call{.verb = "complete", .method = "POST", .object = object, .query = {{"uploadId", upload}}};
  call.headers = {{"content-type", "application/xml"}};
  if (how == S3Put::kOnlyNew) call.headers.emplace_back("if-none-match", "*");
  call.body = body;
  const Answer answer = Send(call);
  if (answer.reply.ok()) return absl::OkStatus();
  // What an attempt has completed is no upload any more.
  const bool gone = absl::IsAlreadyExists(answer.reply.status()) || answer.code == "NoSuchUpload";
  if (gone && answer.repeated && IsOurs(object, token)) return absl::OkStatus();
  // Not NotFound: it is not the object that is missing.
  return answer.code == "NoSuchUpload" ? Unavailable(Message(answer.reply.status())) : answer.reply.status();
}

absl::Status S3Client::AbortUpload(const S3Url& object, const std::string& upload) {
  const Call call{.verb = "abort the upload of", .method = "DELETE", .object = object, .query = {{"uploadId", upload}}};
  const absl::Status status = Send(call).reply.status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status S3Client::Pages(const S3Url& place, Arguments first,
                             const std::function<absl::StatusOr<Arguments>(std::string_view body)>& take) {
  Arguments page;
  while (true) {
    Call call{.verb = "list", .method = "GET", .object = place, .query = first};
    call.query.insert(call.query.end(), page.begin(), page.end());
    const Answer answer = Send(call);
    MR_RETURN_IF_ERROR(answer.reply.status());
    MR_ASSIGN_OR_RETURN(Arguments next, take(answer.reply->body));
    if (next.empty()) return absl::OkStatus();
    if (next == page) return Unavailable("cannot ", What(call), ": the store gives the same page again and again");
    page = std::move(next);
  }
}

absl::StatusOr<std::vector<S3Object>> S3Client::List(const std::string& bucket, const std::string& prefix) {
  std::vector<S3Object> found;
  const S3Url place{bucket, {}};
  const std::string what = Concat("list ", ToString({bucket, prefix}), " at ", options_.endpoint);
  const auto take = [&](std::string_view body) -> absl::StatusOr<Arguments> {
    MR_ASSIGN_OR_RETURN(const XmlElement xml, ParseAnswer(body, "ListBucketResult", what));
    const bool encoded = xml.Text("EncodingType") == "url";
    for (const XmlElement* entry : xml.Children("Contents")) {
      S3Object object{entry->Text("Key"), 0, entry->Text("ETag")};
      if (encoded) object.key = DecodeS3Key(object.key);
      const std::string size = entry->Text("Size");
      std::from_chars(size.data(), size.data() + size.size(), object.bytes);
      found.push_back(std::move(object));
    }
    if (xml.Text("IsTruncated") != "true") return Arguments{};
    return Arguments{{"continuation-token", xml.Text("NextContinuationToken")}};
  };
  MR_RETURN_IF_ERROR(Pages(place, {{"list-type", "2"}, {"prefix", prefix}, {"encoding-type", "url"}}, take));
  std::ranges::sort(found, {}, &S3Object::key);
  return found;
}

absl::StatusOr<std::vector<S3PendingUpload>> S3Client::ListUploads(const std::string& bucket,
                                                                   const std::string& prefix) {
  std::vector<S3PendingUpload> found;
  const S3Url place{bucket, {}};
  const std::string what = Concat("list the uploads of ", ToString({bucket, prefix}), " at ", options_.endpoint);
  const auto take = [&](std::string_view body) -> absl::StatusOr<Arguments> {
    MR_ASSIGN_OR_RETURN(const XmlElement xml, ParseAnswer(body, "ListMultipartUploadsResult", what));
    for (const XmlElement* entry : xml.Children("Upload"))
      found.push_back({entry->Text("Key"), entry->Text("UploadId"), entry->Text("Initiated")});
    if (xml.Text("IsTruncated") != "true") return Arguments{};
    return Arguments{{"key-marker", xml.Text("NextKeyMarker")}, {"upload-id-marker", xml.Text("NextUploadIdMarker")}};
  };
  MR_RETURN_IF_ERROR(Pages(place, {{"uploads", ""}, {"prefix", prefix}}, take));
  return found;
}

}  // namespace millrace
