#include "executor/connectors/cassandra/murmur3.h"

#include <bit>
#include <cstddef>
#include <limits>

namespace millrace::cassandra {
namespace {

constexpr std::uint64_t kC1 = 0x87c37b91114253d5ULL;
constexpr std::uint64_t kC2 = 0x4cf5ad432745937fULL;

std::uint64_t LittleEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = (value << 8) | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

// Sign-extended bytes, as Java's are.
std::uint64_t SignedTail(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value ^= static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<signed char>(bytes[i]))) << (8 * i);
  }
  return value;
}

std::uint64_t Mix1(std::uint64_t k) { return std::rotl(k * kC1, 31) * kC2; }
std::uint64_t Mix2(std::uint64_t k) { return std::rotl(k * kC2, 33) * kC1; }

std::uint64_t Finish(std::uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  return h ^ (h >> 33);
}

}  // namespace

std::int64_t Murmur3Token(std::string_view key) {
  std::uint64_t h1 = 0;
  std::uint64_t h2 = 0;
  std::string_view left = key;
  for (; left.size() >= 16; left.remove_prefix(16)) {
    h1 ^= Mix1(LittleEndian(left));
    h1 = (std::rotl(h1, 27) + h2) * 5 + 0x52dce729;
    h2 ^= Mix2(LittleEndian(left.substr(8)));
    h2 = (std::rotl(h2, 31) + h1) * 5 + 0x38495ab5;
  }
  if (left.size() > 8) h2 ^= Mix2(SignedTail(left.substr(8)));
  if (!left.empty()) h1 ^= Mix1(SignedTail(left.substr(0, 8)));
  h1 ^= key.size();
  h2 ^= key.size();
  h1 += h2;
  h2 += h1;
  h1 = Finish(h1) + Finish(h2);
  const auto token = static_cast<std::int64_t>(h1);
  // The least value is not a token of a key: the ring begins after it.
  return token == std::numeric_limits<std::int64_t>::min() ? std::numeric_limits<std::int64_t>::max() : token;
}

}  // namespace millrace::cassandra
