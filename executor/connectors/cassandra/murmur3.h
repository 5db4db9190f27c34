// The token of a partition key, as Cassandra's Murmur3Partitioner computes it: the first half of the 128-bit Murmur3
// hash, with the tail's bytes taken as signed (a deviation of Cassandra's from the published function, kept for ever).
// Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::cassandra {

std::int64_t Murmur3Token(std::string_view key);

}  // namespace millrace::cassandra
