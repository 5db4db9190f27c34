// What a random pipeline means: each operation as a few lines over vectors, batch by batch, with the whole history kept
// and looked at anew. It shares no code with Millrace. Results are multisets: the order of records within a batch is
// not part of what operations promise.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/random_pipelines/program.h"

namespace millrace::random_pipelines {

using Pair = std::pair<std::string, std::uint64_t>;
using Batch = std::vector<Pair>;

// A stream is what each batch has, by batch number from 1. An operation makes a whole stream of a whole stream.
struct ModelStream {
  std::vector<Batch> batches;
  std::uint64_t period = 1;  // it has records only in batches whose number is a multiple
};

inline std::map<std::string, std::vector<std::uint64_t>> Groups(const Batch& batch) {
  std::map<std::string, std::vector<std::uint64_t>> groups;
  for (const auto& [key, value] : batch) groups[key].push_back(value);
  return groups;
}
inline std::uint64_t Sum(const std::vector<std::uint64_t>& values) {
  std::uint64_t sum = 0;
  for (const std::uint64_t value : values) sum += value;
  return sum;
}

inline Batch ReduceBatch(const Batch& in) {
  Batch out;
  for (const auto& [key, values] : Groups(in)) out.emplace_back(key, Sum(values));
  return out;
}
inline Batch CountValues(const Batch& in) {
  std::map<Pair, std::uint64_t> counts;
  for (const Pair& record : in) ++counts[record];
  Batch out;
  for (const auto& [record, n] : counts) out.emplace_back(record.first + "=" + std::to_string(record.second), n);
  return out;
}
inline Batch GroupBatch(const Batch& in) {
  Batch out;
  for (const auto& [key, values] : Groups(in)) out.emplace_back(key, Sum(values) * 31 + values.size());
  return out;
}

// Operations that look at one batch alone.
inline Batch ApplyToBatch(const Operation& op, const Batch& in) {
  Batch out;
  const std::string& name = op.name;
  if (name == "reduce") return ReduceBatch(in);
  if (name == "group") return GroupBatch(in);
  if (name == "values") return CountValues(in);
  if (name == "count") return {{"count", in.size()}};
  if (name == "spread") return in;
  if (name == "max") {
    for (const auto& [key, values] : Groups(in)) out.emplace_back(key, *std::max_element(values.begin(), values.end()));
    return out;
  }
  if (name == "total") {
    if (in.empty()) return {};
    std::uint64_t sum = 0;
    for (const Pair& record : in) sum += record.second;
    return {{"total", sum}};
  }
  if (name == "join" || name == "leftjoin" || name == "cogroup") {
    Batch other;
    for (const Pair& record : in) {
      if (name == "join" || record.second % (op.a + 1) == 0) other.push_back(record);
    }
    const auto right = Groups(name == "join" ? ReduceBatch(other) : other);
    const auto left = Groups(in);
    if (name == "cogroup") {
      for (const auto& [key, values] : left) {
        const auto at = right.find(key);
        out.emplace_back(key, values.size() * 100 + (at == right.end() ? 0 : at->second.size()));
      }
      return out;
    }
    for (const auto& [key, values] : left) {
      const auto at = right.find(key);
      for (const std::uint64_t v : values) {
        if (at == right.end()) {
          if (name == "leftjoin") out.emplace_back(key, v * 5);
          continue;
        }
        for (const std::uint64_t w : at->second) out.emplace_back(key, v * 3 + w);
      }
    }
    return out;
  }
  for (const auto& [key, value] : in) {
    if (name == "map") out.emplace_back(key, value * op.a + 1);
    if (name == "rekey") out.emplace_back("r" + std::to_string(value % (op.a + 1)), value);
    if (name == "filter" && value % (op.a + 1) != 0) out.emplace_back(key, value);
    if (name == "union") {
      out.emplace_back(key, value);
      out.emplace_back(key + "'", value + 1);
    }
    for (std::uint64_t i = 0; name == "flat" && i < op.a % 3; ++i) out.emplace_back(key, value + i);
  }
  return out;
}

inline bool IsWindow(const std::string& name) { return name.starts_with("win"); }

inline ModelStream ApplyWindow(const Operation& op, const ModelStream& in) {
  ModelStream out;
  out.period = in.period * op.b;
  const std::uint64_t length = in.period * op.a;
  for (std::uint64_t now = 1; now <= in.batches.size(); ++now) {
    out.batches.emplace_back();
    if (now % out.period != 0) continue;
    Batch window;
    for (std::uint64_t b = now >= length ? now - length + 1 : 1; b <= now; ++b) {
      window.insert(window.end(), in.batches[b - 1].begin(), in.batches[b - 1].end());
    }
    Batch& result = out.batches.back();
    if (op.name == "window") result = window;
    if (op.name == "winreduce") result = ReduceBatch(window);
    if (op.name == "wincount") result = {{"wincount", window.size()}};
    if (op.name == "wingroup") result = GroupBatch(window);
    if (op.name == "winvalues") result = CountValues(window);
  }
  return out;
}

inline ModelStream ApplyState(const Operation& op, const ModelStream& in) {
  ModelStream out;
  out.period = in.period;
  std::map<std::string, std::uint64_t> state;
  for (std::uint64_t now = 1; now <= in.batches.size(); ++now) {
    Batch& result = out.batches.emplace_back();
    if (now % in.period != 0) continue;
    const auto groups = Groups(in.batches[now - 1]);
    if (op.name == "mapstate") {
      for (const auto& [key, values] : groups) {
        for (std::size_t i = 0; i < values.size(); ++i) result.emplace_back(key, ++state[key]);
      }
      continue;
    }
    std::set<std::string> keys;
    for (const auto& [key, values] : groups) keys.insert(key);
    for (const auto& [key, value] : state) {
      if (op.name == "update") keys.insert(key);
    }
    for (const std::string& key : keys) {
      const auto group = groups.find(key);
      const std::uint64_t next =
          (state.contains(key) ? state[key] + 1 : 0) + (group == groups.end() ? 0 : Sum(group->second));
      if (op.name == "update" && next % (op.a + 2) == 0) {
        state.erase(key);
      } else {
        state[key] = next;
        result.emplace_back(key, next);
      }
    }
  }
  return out;
}

inline ModelStream Apply(const Operation& op, const ModelStream& in) {
  if (IsWindow(op.name)) return ApplyWindow(op, in);
  if (op.name == "update" || op.name == "touched" || op.name == "mapstate") return ApplyState(op, in);
  ModelStream out;
  out.period = in.period;
  for (std::uint64_t now = 1; now <= in.batches.size(); ++now) {
    out.batches.push_back(now % in.period == 0 ? ApplyToBatch(op, in.batches[now - 1]) : Batch{});
  }
  return out;
}

// What the program makes of these batches; each batch sorted.
inline std::vector<Batch> Run(const Program& program, std::vector<Batch> input) {
  ModelStream stream{std::move(input), 1};
  for (const Operation& op : program) stream = Apply(op, stream);
  for (Batch& batch : stream.batches) std::sort(batch.begin(), batch.end());
  return stream.batches;
}

}  // namespace millrace::random_pipelines
