// HTTP requests that are signed for S3 (AWS signature version 4), over libcurl. One request, one answer: trying again
// is the caller's.
//
//   Http http({.ca_file = ""});
//   MR_ASSIGN_OR_RETURN(const HttpReply reply, http.Send({.method = "GET", .url = url, .reply_max = 1 << 20},
//   signing));
//
// Connections are kept and used again; TLS certificates are always checked. The environment's http_proxy, https_proxy
// and no_proxy count.
//
// Thread-safe; calls run side by side, each on a connection of its own. It uses no signal, but the process must ignore
// SIGPIPE. Errors are of the way there and back alone: Unavailable, naming the endpoint, the cause and the remedy. What
// the server says is the reply, whatever its code.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status.h"

namespace millrace {

struct HttpOptions {
  std::string ca_file;  // PEM; empty: the system's
  std::int64_t connect_timeout_ms = 5'000;
  std::int64_t stall_timeout_ms = 20'000;  // without a byte either way
  std::int64_t timeout_ms = 180'000;       // in all
};

struct HttpRequest {
  std::string method;
  std::string url;                                           // percent-encoded; query arguments in order
  std::vector<std::pair<std::string, std::string>> headers;  // lower case, no value empty
  std::string_view body = {};
  std::size_t reply_max = std::size_t{1} << 20;  // a longer answer is an error
};

struct HttpReply {
  int code = 0;
  std::map<std::string, std::string> headers;  // lower case; the last of several
  std::string body;

  // Empty when there is none.
  std::string Header(const std::string& name) const;
};

struct HttpSigning {
  std::string region;
  std::string key_id;
  std::string secret;
};

class Http {
 public:
  explicit Http(HttpOptions options);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  absl::StatusOr<HttpReply> Send(const HttpRequest& request, const HttpSigning& signing);

 private:
  const HttpOptions options_;
  std::mutex mutex_;
  std::vector<void*> idle_;  // CURL handles with their connections; guarded by mutex_
};

}  // namespace millrace
