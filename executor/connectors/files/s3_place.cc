#include "executor/connectors/files/s3_place.h"

#include <utility>

#include "common/status.h"

namespace millrace {

absl::StatusOr<S3Place> ReadS3Place(const OptionReader& options, std::string_view option, const std::string& url) {
  auto parsed = ParseS3Url(url);
  if (!parsed.ok()) return options.Bad(option, "is no S3 address: ", Message(parsed.status()));
  S3Options s3;
  s3.endpoint = options.Text("s3_endpoint", "");
  s3.region = options.Text("s3_region", s3.region);
  s3.credentials_file = options.Text("s3_credentials_file", "");
  s3.http.ca_file = options.Text("s3_ca_file", "");
  auto client = S3Client::Make(std::move(s3));
  if (!client.ok()) return Annotate(client.status(), options.where());
  return S3Place{std::move(*client), std::move(*parsed)};
}

}  // namespace millrace
