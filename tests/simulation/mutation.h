// Rules of the world that can be broken on purpose. The simulation must find every one of them: a check that cannot
// fail proves nothing. A mutation changes what surrounds the two cores, never the cores.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::simulation {

enum class Mutation {
  kNone,
  kEarlyDurable,    // PlanDurable comes before the record is durable
  kJournalForgets,  // a restart loses records that had been durable
  kIgnoreMark,      // a sink writer commits without a look at the mark
  kNoFence,         // a sink lets older writers in
  kEpochReused,     // a new driver takes the epoch of the one before
  kAnyBlock,        // the block store gives whichever block of that key came last, whatever it was made from
  kArrivalOrder,    // a reducer merges in the order in which blocks came
  kSilentLoss,      // a link between runners loses blocks and says nothing
  kUnstableSource,  // a range that is read again gives other records
  kHalfState,       // what a failed task has left of the state is used on
  kEarlyGarbage,    // a checkpoint's files are deleted before they are old
  kOldTerm,         // a runner goes on under another driver as if it were the same
  kEarlyDrop,       // blocks are dropped before the last batch that needs them is committed
  kEarlyDone,       // a commit is answered before it is visible, and may then fail
};

struct MutationName {
  Mutation mutation;
  std::string_view name;
};

inline constexpr std::array kMutations = {
    MutationName{Mutation::kEarlyDurable, "early_durable"},
    MutationName{Mutation::kJournalForgets, "journal_forgets"},
    MutationName{Mutation::kIgnoreMark, "ignore_mark"},
    MutationName{Mutation::kNoFence, "no_fence"},
    MutationName{Mutation::kEpochReused, "epoch_reused"},
    MutationName{Mutation::kAnyBlock, "any_block"},
    MutationName{Mutation::kArrivalOrder, "arrival_order"},
    MutationName{Mutation::kSilentLoss, "silent_loss"},
    MutationName{Mutation::kUnstableSource, "unstable_source"},
    MutationName{Mutation::kHalfState, "half_state"},
    MutationName{Mutation::kEarlyGarbage, "early_garbage"},
    MutationName{Mutation::kOldTerm, "old_term"},
    MutationName{Mutation::kEarlyDrop, "early_drop"},
    MutationName{Mutation::kEarlyDone, "early_done"},
};

inline std::optional<Mutation> FindMutation(std::string_view name) {
  for (const MutationName& entry : kMutations) {
    if (entry.name == name) return entry.mutation;
  }
  return std::nullopt;
}

// What a simulation throws when an invariant is broken.
struct Violation {
  std::string what;
};

}  // namespace millrace::simulation
