// One fixed 64-bit mixing function, for hashes and for text made from numbers: equal in every process, on every
// machine, for ever. Stateless. Changing it would move every key to another partition.
#pragma once

#include <cstdint>

namespace millrace::detail {

// A bijection in which every input bit moves about half of the output bits.
constexpr std::uint64_t MixBits(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  x ^= x >> 31;
  return x;
}

inline constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;  // odd, without pattern: keeps zeros from staying zeros

}  // namespace millrace::detail
