// The place "s3://bucket/prefix" that an option of a source or sink names, with who we are there: the options
// s3_endpoint, s3_region, s3_credentials_file and s3_ca_file.
//
// Any thread. InvalidArgument names the operator and the option; nothing is sent.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/object_store/s3_client.h"
#include "executor/connectors/options.h"

namespace millrace {

struct S3Place {
  std::shared_ptr<S3Client> client;
  S3Url url;
};

absl::StatusOr<S3Place> ReadS3Place(const OptionReader& options, std::string_view option, const std::string& url);

}  // namespace millrace
