// Random numbers of a simulation: the same seed gives the same numbers on every machine and with every standard
// library, which std::uniform_int_distribution does not promise. SplitMix64. One thread.
//
//   Random random(seed);
//   if (random.Chance(0.01)) Break();
#pragma once

#include <cstdint>

namespace millrace::simulation {

constexpr std::uint64_t Mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(Mix(seed)) {}

  std::uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15u); }
  // In [0, n); n > 0.
  std::uint64_t Below(std::uint64_t n) { return Next() % n; }
  // In [low, high].
  std::int64_t Between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(Below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool Chance(double probability) { return static_cast<double>(Next() >> 11) < probability * 9007199254740992.0; }

 private:
  std::uint64_t state_;
};

}  // namespace millrace::simulation
