// Balance: properties that hold for any owners and any runners.
#include "driver/job/placement.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "common/status.h"

namespace millrace {
namespace {

using Owners = std::map<int, std::string>;

std::map<std::string, std::size_t> Loads(const Owners& owners, const std::vector<std::string>& live) {
  std::map<std::string, std::size_t> loads;
  for (const std::string& runner : live) loads[runner];
  for (const auto& [key, owner] : owners) ++loads[owner];
  return loads;
}

// The fewest keys that must change hands: those of the dead, and what is above the fair share.
std::size_t FewestMoves(const Owners& owners, const std::vector<std::string>& live) {
  std::vector<std::size_t> held;
  std::size_t kept = 0;
  for (const auto& [runner, load] : Loads(owners, live)) {
    if (std::find(live.begin(), live.end(), runner) != live.end()) held.push_back(load);
  }
  std::sort(held.rbegin(), held.rend());
  const std::size_t share = owners.size() / live.size(), extra = owners.size() % live.size();
  for (std::size_t i = 0; i < held.size(); ++i) kept += std::min(held[i], share + (i < extra ? 1 : 0));
  return owners.size() - kept;
}

TEST(Placement, IsEvenStableAndMovesAsLittleAsPossible) {
  std::mt19937 random(1);
  for (int round = 0; round < 3'000; ++round) {
    Owners owners;
    const int keys = static_cast<int>(random() % 20);
    for (int k = 0; k < keys; ++k) owners[k] = random() % 4 == 0 ? "" : Concat("r", random() % 6);
    std::set<std::string> chosen;
    for (std::size_t n = 1 + random() % 5; n > 0; --n) chosen.insert(Concat("r", random() % 6));
    const std::vector<std::string> live(chosen.begin(), chosen.end());
    const Owners before = owners;
    Balance(owners, live);

    ASSERT_EQ(owners.size(), before.size());
    std::size_t least = SIZE_MAX, most = 0, moves = 0;
    for (const auto& [runner, load] : Loads(owners, live)) {
      ASSERT_TRUE(chosen.contains(runner)) << "'" << runner << "' is not live";
      least = std::min(least, load);
      most = std::max(most, load);
    }
    ASSERT_LE(most, least + 1);
    for (const auto& [key, owner] : before) moves += owner != owners[key];
    ASSERT_EQ(moves, FewestMoves(before, live)) << "round " << round;

    const Owners balanced = owners;
    Balance(owners, live);
    ASSERT_EQ(owners, balanced);
    Owners again = before;
    Balance(again, live);
    ASSERT_EQ(again, balanced);
  }
}

TEST(Placement, WithoutRunnersNobodyOwnsAnything) {
  Owners owners{{1, "r1"}, {2, "r2"}};
  Balance(owners, {});
  EXPECT_EQ(owners, (Owners{{1, ""}, {2, ""}}));
}

}  // namespace
}  // namespace millrace
