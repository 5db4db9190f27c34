// What a table outside is to the runner when a job looks rows up in it. A reader belongs to one task at a time, and
// asks for many keys at once.
//
//   auto reader = lookup->NewReader();
//   MR_RETURN_IF_ERROR((*reader)->Open());
//   MR_ASSIGN_OR_RETURN(auto rows, (*reader)->Find(keys));   // rows[i] is that of *keys[i], null: there is none
//
// Keys and rows are values as <millrace/internal/cassandra_row.h> writes them. Thread rule: a reader is used by one
// thread at a time, a Lookup by any. Calls may wait for the neighbour; each has a deadline of its own and returns
// Unavailable when it passes. After any error the reader is thrown away.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "millrace/engine.h"

namespace millrace {

using LookupRow = std::shared_ptr<const std::string>;

class LookupReader {
 public:
  virtual ~LookupReader() = default;
  // Connects, and compares what the job expects with the table.
  virtual absl::Status Open() = 0;
  virtual absl::StatusOr<std::vector<LookupRow>> Find(std::span<const std::string* const> keys) = 0;
};

struct LookupCacheLimits {
  std::uint64_t rows = 0;  // keys without a row count; 0: nothing is kept
  std::uint64_t bytes = 0;
  std::chrono::milliseconds ttl{0};
};

class Lookup {
 public:
  virtual ~Lookup() = default;
  virtual absl::StatusOr<std::unique_ptr<LookupReader>> NewReader() = 0;
  virtual LookupCacheLimits cache_limits() const = 0;
};

// Makes what `description.connector` of a narrow operator names: "cassandra". InvalidArgument names an unknown
// connector, option or value and the nearest valid one.
absl::StatusOr<std::unique_ptr<Lookup>> MakeLookup(const engine::OperatorDescription& description);

}  // namespace millrace
