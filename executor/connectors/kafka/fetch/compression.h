// What a record batch's records are compressed with, and how they come out again.
//
//   MR_ASSIGN_OR_RETURN(std::string records, Decompress(Codec::kLz4, bytes, 64 << 20));
//
// Pure functions, any thread. Errors: DataLoss for bytes that are damaged, ResourceExhausted for what becomes larger
// than the limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace millrace::kafka {

// As the lowest three bits of a batch's attributes have it.
enum class Codec : std::uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

std::string_view NameOf(Codec codec);
absl::StatusOr<std::string> Decompress(Codec codec, std::string_view bytes, std::size_t limit);

}  // namespace millrace::kafka
