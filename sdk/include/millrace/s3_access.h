// How files in an S3-compatible store are reached: of sources and sinks whose directory is "s3://bucket/prefix".
// Plain data; the files are read on the executors.
#pragma once

#include <string>

#include "millrace/engine.h"

namespace millrace {

struct S3Access {
  std::string endpoint = {};  // "https://HOST[:PORT]"; empty: Amazon's of the region
  std::string region = "us-east-1";
  std::string credentials_file = {};  // like ~/.aws/credentials; empty: AWS_… of the executor's environment
  std::string ca_file = {};           // who signs the endpoint's certificate, PEM; empty: whom the machine trusts
};

namespace detail {

inline void AddToMap(const S3Access& access, engine::Options& map) {
  const S3Access plain;
  if (access.endpoint != plain.endpoint) map["s3_endpoint"] = access.endpoint;
  if (access.region != plain.region) map["s3_region"] = access.region;
  if (access.credentials_file != plain.credentials_file) map["s3_credentials_file"] = access.credentials_file;
  if (access.ca_file != plain.ca_file) map["s3_ca_file"] = access.ca_file;
}

}  // namespace detail
}  // namespace millrace
