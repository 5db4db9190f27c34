// Some hundred lives of a simulated cluster, and the proof that the simulation can fail. A failing seed is printed;
// with MILLRACE_SIM_TRACE=SEED that life alone is lived again and told step by step. MILLRACE_SIM_SEEDS and
// MILLRACE_SIM_FIRST ask for more or other lives.
#include <gtest/gtest.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "common/status.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/lives.h"

namespace millrace::simulation {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  EXPECT_TRUE(error == std::errc() && *end == 0) << name << " must be a number, not '" << text << "'";
  return value;
}

TEST(Simulation, InvariantsHoldInEveryLife) {
  if (std::getenv("MILLRACE_SIM_TRACE") != nullptr) {
    const Life life = LiveOnce(FromEnvironment("MILLRACE_SIM_TRACE", 0), Mutation::kNone, true);
    EXPECT_EQ(life.violation, "");
    return;
  }
  const std::uint64_t first = FromEnvironment("MILLRACE_SIM_FIRST", 0);
  const std::uint64_t seeds = FromEnvironment("MILLRACE_SIM_SEEDS", 400);
  std::uint64_t batches = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const Life life = LiveOnce(seed, Mutation::kNone, false);
    batches += life.batches;
    EXPECT_EQ(life.violation, "") << "see it with MILLRACE_SIM_TRACE=" << seed;
  }
  EXPECT_GT(batches, seeds * 20) << "the lives are too short to show anything";
}

// Lives that go wrong when a bug of the past is put back. A change of the simulation itself makes them lives like any
// other.
TEST(Simulation, LivesThatShowedABugHold) {
  const std::map<std::uint64_t, const char*> lives = {
      {60, "a batch planned for a stage that runs empty was never committed in the journal"},
      {48, "a start deadline in the past woke the job master for ever"},
      {129, "blocks of empty ranges piled up at a runner without splits"},
      {2398, "an empty range that failed held back the next cut"},
      {5943, "a runner on a new stream was not asked again for the splits"},
      {2246, "tasks behind one whose batch had ended did not start"},
      {7053, "a runner never heard that a batch had ended without it"},
      {1292, "a block of another range hid the one that was planned"},
  };
  for (const auto& [seed, bug] : lives) EXPECT_EQ(LiveOnce(seed, Mutation::kNone, false).violation, "") << bug;
}

TEST(Simulation, TheSameSeedIsTheSameLife) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Life one = LiveOnce(seed, Mutation::kNone, false), other = LiveOnce(seed, Mutation::kNone, false);
    EXPECT_EQ(one.batches, other.batches);
    EXPECT_EQ(one.seen, other.seen);
  }
}

// What the protocol is for must happen in these lives, and not once in a while.
TEST(Simulation, EverythingThatCanGoWrongDoes) {
  std::map<std::string, std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    for (const auto& [what, times] : LiveOnce(seed, Mutation::kNone, false).seen) seen[what] += times;
  }
  for (const char* what : {"block asked for again",
                           "broken link",
                           "damaged block",
                           "damaged checkpoint file",
                           "damaged file to be merged",
                           "dead driver",
                           "dead runner",
                           "executor gone after it was let go",
                           "failed attempt",
                           "frozen runner",
                           "Go and cut in one message",
                           "lost executor",
                           "new split",
                           "new stream of a live runner",
                           "orphan",
                           "output dropped for its mark",
                           "passed over",
                           "passed over to the begin",
                           "range read again",
                           "reduce of a committed batch",
                           "restored batch",
                           "two blocks of one key",
                           "writer fenced when it commits",
                           "writer fenced when it opens"}) {
    EXPECT_GE(seen[what], 3u) << what;
  }
}

class BrokenRule : public testing::TestWithParam<MutationName> {};

TEST_P(BrokenRule, IsCaught) {
  constexpr std::uint64_t kSeeds = 600;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    if (!LiveOnce(seed, GetParam().mutation, false).violation.empty()) return;
  }
  FAIL() << GetParam().name << " was not caught in " << kSeeds << " lives";
}

INSTANTIATE_TEST_SUITE_P(Simulation, BrokenRule, testing::ValuesIn(kMutations),
                         [](const auto& named) { return std::string(named.param.name); });

}  // namespace
}  // namespace millrace::simulation
