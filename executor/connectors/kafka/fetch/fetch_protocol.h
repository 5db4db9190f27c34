// The requests that a fetcher speaks, as bytes: ApiVersions (version 0), SaslHandshake (1), SaslAuthenticate (0) and
// Fetch (11, without sessions).
//
//   connection.Send(EncodeFetch(settings, wanted, correlation));
//   MR_ASSIGN_OR_RETURN(FetchAnswer answer, DecodeFetch(body));
//
// Pure functions, any thread. Errors: DataLoss for an answer that is none. Source: Kafka protocol guide.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/kafka/fetch/record_set.h"

namespace millrace::kafka {

inline constexpr std::int16_t kFetchVersion = 11;  // since Kafka 2.3

struct FetchSettings {
  std::string client_id = "millrace";
  std::int32_t max_wait_ms = 10;  // at the broker, for records to come
  std::int32_t min_bytes = 1;
  std::int32_t max_bytes = 52'428'800;     // of an answer; a batch that is larger comes alone
  std::int32_t partition_bytes = 1 << 20;  // of a partition in it
  bool read_committed = true;
};

struct WantedPartition {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

// With the length in front. Partitions of one topic stand together.
std::string EncodeFetch(const FetchSettings& settings, const std::vector<WantedPartition>& wanted,
                        std::int32_t max_wait_ms, std::int32_t correlation);
std::string EncodeApiVersions(const FetchSettings& settings, std::int32_t correlation);
std::string EncodeSaslHandshake(const FetchSettings& settings, std::string_view mechanism, std::int32_t correlation);
std::string EncodeSaslAuthenticate(const FetchSettings& settings, std::string_view bytes, std::int32_t correlation);

struct FetchedPartition {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int16_t error = 0;
  std::vector<AbortedTransaction> aborted;
  std::string_view records;
};

struct FetchAnswer {
  std::int16_t error = 0;
  std::vector<FetchedPartition> partitions;  // their views point into the body
};

// `body`: behind the correlation id.
absl::StatusOr<FetchAnswer> DecodeFetch(std::string_view body);
// What the broker says to a step of a login: its bytes, or why it refuses (PermissionDenied).
absl::StatusOr<std::string> DecodeSaslAuthenticate(std::string_view body);
// FailedPrecondition names the mechanisms that the broker knows.
absl::Status DecodeSaslHandshake(std::string_view body, std::string_view mechanism);
// The highest version of Fetch that the broker speaks; -1: none.
absl::StatusOr<std::int16_t> DecodeFetchVersion(std::string_view body);

}  // namespace millrace::kafka
