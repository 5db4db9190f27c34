#include "common/object_store/http.h"

#include <curl/curl.h>
#include <fcntl.h>

#include <memory>
#include <mutex>

namespace millrace {
namespace {

// More connections than this are closed when they are idle.
constexpr std::size_t kIdleMax = 8;
constexpr std::size_t kHeaderBytesMax = std::size_t{64} << 10;

struct FreeHeaders {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, FreeHeaders>;

struct Exchange {
  HttpReply reply;
  std::size_t body_max = 0;
  std::size_t header_bytes = 0;
  bool too_long = false;
};

std::size_t TakeBody(char* data, std::size_t, std::size_t bytes, void* to) {
  auto& exchange = *static_cast<Exchange*>(to);
  if (exchange.reply.body.size() + bytes > exchange.body_max) {
    exchange.too_long = true;
    return 0;
  }
  exchange.reply.body.append(data, bytes);
  return bytes;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::size_t TakeHeader(char* data, std::size_t, std::size_t bytes, void* to) {
  auto& exchange = *static_cast<Exchange*>(to);
  const std::string_view line(data, bytes);
  exchange.header_bytes += bytes;
  if (exchange.header_bytes > kHeaderBytesMax) {
    exchange.too_long = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) exchange.reply.headers.clear();  // those before were of a "100 Continue", or a proxy's
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bytes;
  std::string name(line.substr(0, colon));
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  exchange.reply.headers[std::move(name)] = Trim(line.substr(colon + 1));
  return bytes;
}

// A job's code may start processes: they must not keep our connections open.
int CloseOnExec(void*, curl_socket_t socket, curlsocktype) {
  const int flags = ::fcntl(socket, F_GETFD);
  if (flags >= 0) (void)::fcntl(socket, F_SETFD, flags | FD_CLOEXEC);
  return CURL_SOCKOPT_OK;
}

void SetMethod(CURL* curl, const HttpRequest& request) {
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.method == "PUT" || request.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  } else {
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

std::string_view Remedy(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "check the name in the endpoint, and DNS";
    case CURLE_COULDNT_CONNECT:
      return "check the endpoint, and that the store runs and is not behind a firewall";
    case CURLE_OPERATION_TIMEDOUT:
      return "the store, or the network to it, is too slow or down";
    case CURLE_PEER_FAILED_VERIFICATION:
      return "its certificate is not of a CA that is trusted here, or of another name: name its CA's file in the "
             "configuration";
    case CURLE_SSL_CONNECT_ERROR:
      return "is it https what the endpoint speaks?";
    case CURLE_SSL_CACERT_BADFILE:
      return "the CA file in the configuration cannot be read, or is no PEM";
    default:
      return "check the endpoint and the network";
  }
}

// "https://host:443/bucket/key?x" → "https://host:443".
std::string_view EndpointOf(std::string_view url) {
  const std::size_t host = url.find("://");
  return url.substr(0, url.find('/', host == std::string_view::npos ? 0 : host + 3));
}

}  // namespace

std::string HttpReply::Header(const std::string& name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? std::string() : at->second;
}

Http::Http(HttpOptions options) : options_(std::move(options)) {
  static std::once_flag once;
  std::call_once(once, [] { MR_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

Http::~Http() {
  for (void* curl : idle_) curl_easy_cleanup(curl);
}

absl::StatusOr<HttpReply> Http::Send(const HttpRequest& request, const HttpSigning& signing) {
  CURL* curl = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      curl = idle_.back();
      idle_.pop_back();
    }
  }
  if (curl == nullptr) curl = curl_easy_init();
  if (curl == nullptr) return ResourceExhausted("libcurl gave no handle: out of memory");
  curl_easy_reset(curl);  // options; connections stay

  Headers headers;
  for (const auto& [name, value] : request.headers) {
    curl_slist* longer = curl_slist_append(headers.get(), Concat(name, ": ", value).c_str());
    if (longer == nullptr) break;
    (void)headers.release();
    headers.reset(longer);
  }
  Exchange exchange;
  exchange.body_max = request.reply_max;
  char why[CURL_ERROR_SIZE] = "";
  const std::string provider = Concat("aws:amz:", signing.region, ":s3");

  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, provider.c_str());
  curl_easy_setopt(curl, CURLOPT_USERNAME, signing.key_id.c_str());
  curl_easy_setopt(curl, CURLOPT_PASSWORD, signing.secret.c_str());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "millrace");
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options_.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options_.ca_file.c_str());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout_ms));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>((options_.stall_timeout_ms + 999) / 1000));
  curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, &CloseOnExec);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &TakeBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &TakeHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  SetMethod(curl, request);

  const CURLcode code = curl_easy_perform(curl);
  long http_code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_code);
  {
    // The handle forgets what is in this frame at its next reset, and uses nothing of it before.
    const std::lock_guard lock(mutex_);
    if (code == CURLE_OK && idle_.size() < kIdleMax) {
      idle_.push_back(curl);
      curl = nullptr;
    }
  }
  if (curl != nullptr) curl_easy_cleanup(curl);

  const std::string_view endpoint = EndpointOf(request.url);
  if (exchange.too_long)
    return Unavailable("the answer of ", endpoint, " is longer than ", request.reply_max,
                       " bytes: is an S3 store what listens there?");
  if (code != CURLE_OK) {
    const std::string_view text = Trim(why);
    return Unavailable("cannot talk to ", endpoint, ": ", text.empty() ? curl_easy_strerror(code) : text, "; ",
                       Remedy(code));
  }
  exchange.reply.code = static_cast<int>(http_code);
  return std::move(exchange.reply);
}

}  // namespace millrace
