// What event-time operators should give, record by record, kept as simply as can be: nothing is ever forgotten, nothing
// is shared. And the inputs of its tests: lines "time:key:value".
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {

constexpr std::uint64_t kEventAll = 1'000'000;

struct EventLine {
  std::int64_t time = 0;
  std::string key;
  std::string value;

  static EventLine Parse(std::string_view line) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    return {std::stoll(std::string(line.substr(0, first))), std::string(line.substr(first + 1, second - first - 1)),
            std::string(line.substr(second + 1))};
  }
  static std::int64_t TimeOf(std::string_view line) { return Parse(line).time; }
  static std::pair<std::string, std::string> PairOf(std::string_view line) {
    EventLine parsed = Parse(line);
    return {std::move(parsed.key), std::move(parsed.value)};
  }
};

using EventSplits = std::vector<Harness::Split>;

// Ids of the operators of a kind, in order.
inline std::vector<std::uint32_t> OperatorsOf(const Harness& job, engine::OperatorKind kind) {
  std::vector<std::uint32_t> ids;
  for (const auto& op : job.graph().operators) {
    if (op.kind == kind) ids.push_back(op.id);
  }
  return ids;
}
inline std::vector<std::uint32_t> SourcesOf(const Harness& job) {
  return OperatorsOf(job, engine::OperatorKind::kSource);
}
inline std::vector<std::uint32_t> SinksOf(const Harness& job) { return OperatorsOf(job, engine::OperatorKind::kSink); }

// Random lines whose times move on with the batches, some of them far behind.
inline EventSplits RandomEvents(std::mt19937_64& random, std::size_t splits, std::size_t records, std::int64_t now,
                                int keys) {
  EventSplits lines(splits);
  for (std::size_t i = 0; i < records; ++i) {
    const std::int64_t behind = static_cast<std::int64_t>(random() % (random() % 8 == 0 ? 90 : 12));
    lines[random() % splits].push_back(std::to_string(now - behind) + ":k" +
                                       std::to_string(random() % static_cast<unsigned>(keys)) + ":" +
                                       static_cast<char>('a' + random() % 26));
  }
  return lines;
}

class WatermarkModel {
 public:
  WatermarkModel(std::int64_t out_of_orderness, std::int64_t idle_after)
      : out_of_orderness_(out_of_orderness), idle_after_(idle_after) {}

  std::int64_t watermark = INT64_MIN;

  void Batch(const EventSplits& splits, std::int64_t batch_time) {
    std::vector<std::int64_t> active;
    latest_.resize(splits.size(), INT64_MIN);
    last_active_.resize(splits.size(), batch_time);
    for (std::size_t i = 0; i < splits.size(); ++i) {
      for (const std::string& line : splits[i]) latest_[i] = std::max(latest_[i], EventLine::TimeOf(line));
      if (!splits[i].empty()) last_active_[i] = batch_time;
      if (idle_after_ != 0 && batch_time - last_active_[i] >= idle_after_) continue;
      active.push_back(latest_[i] == INT64_MIN ? INT64_MIN : latest_[i] - out_of_orderness_);
    }
    if (!active.empty()) watermark = std::max(watermark, *std::ranges::min_element(active));
  }

 private:
  const std::int64_t out_of_orderness_;
  const std::int64_t idle_after_;
  std::vector<std::int64_t> latest_;
  std::vector<std::int64_t> last_active_;
};

// Results and late records of one batch.
struct WindowModelBatch {
  std::vector<std::string> results;
  std::vector<std::string> late;
};

inline std::string SortedText(std::string text) {
  std::sort(text.begin(), text.end());
  return text;
}

// A window's value is the sorted letters of its records.
class AlignedModel {
 public:
  AlignedModel(std::int64_t size, std::int64_t slide, std::int64_t offset, std::int64_t lateness)
      : size_(size), slide_(slide), offset_(offset), lateness_(lateness) {}

  WindowModelBatch Batch(const EventSplits& splits, std::int64_t before, std::int64_t after) {
    WindowModelBatch batch;
    std::map<std::pair<std::string, std::int64_t>, bool> touched;  // key and start
    for (const auto& split : splits) {
      for (const std::string& line : split) {
        const EventLine record = EventLine::Parse(line);
        bool late = true;
        for (const std::int64_t start : StartsOf(record.time)) {
          if (before == INT64_MIN || start + size_ + lateness_ > before) {
            late = false;
            touched[{record.key, start}] = true;
          }
        }
        if (late) {
          batch.late.push_back(
              TextOf(Timed<std::pair<std::string, std::string>>{{record.key, record.value}, record.time}));
        } else {
          records_.push_back(record);
        }
      }
    }
    std::map<std::pair<std::string, std::int64_t>, std::string> values;
    for (const EventLine& record : records_) {
      for (const std::int64_t start : StartsOf(record.time)) values[{record.key, start}] += record.value;
    }
    for (const auto& [at, value] : values) {
      const std::int64_t end = at.second + size_;
      const bool on_time = end > before && end <= after;
      const bool update = end <= before && touched.contains(at);
      if (!on_time && !update) continue;
      batch.results.push_back(
          TextOf(WindowResult<std::string, std::string>{at.first, {at.second, end}, SortedText(value)}));
    }
    std::sort(batch.results.begin(), batch.results.end());
    std::sort(batch.late.begin(), batch.late.end());
    return batch;
  }

 private:
  std::vector<std::int64_t> StartsOf(std::int64_t time) const {
    std::vector<std::int64_t> starts;
    for (std::int64_t start = time - size_ + 1; start <= time; ++start) {
      if ((start - offset_) % slide_ == 0) starts.push_back(start);
    }
    return starts;
  }

  const std::int64_t size_;
  const std::int64_t slide_;
  const std::int64_t offset_;
  const std::int64_t lateness_;
  std::vector<EventLine> records_;
};

class SessionModel {
 public:
  SessionModel(std::int64_t gap, std::int64_t lateness) : gap_(gap), lateness_(lateness) {}

  WindowModelBatch Batch(const EventSplits& splits, std::int64_t before, std::int64_t after) {
    WindowModelBatch batch;
    const auto over = [&](std::int64_t end) { return before != INT64_MIN && end + lateness_ <= before; };
    for (One& one : sessions_) one.touched = false;
    std::erase_if(sessions_, [&](const One& one) { return over(one.end); });
    for (const auto& split : splits) {
      for (const std::string& line : split) {
        const EventLine record = EventLine::Parse(line);
        One merged{record.key, record.time, record.time + gap_, record.value, true};
        const auto touches = [&](const One& one) {
          return one.key == record.key && one.start <= record.time + gap_ && one.end >= record.time;
        };
        const bool alone = std::ranges::none_of(sessions_, touches);
        if (alone && over(merged.end)) {
          batch.late.push_back(
              TextOf(Timed<std::pair<std::string, std::string>>{{record.key, record.value}, record.time}));
          continue;
        }
        for (const One& one : sessions_) {
          if (!touches(one)) continue;
          merged.start = std::min(merged.start, one.start);
          merged.end = std::max(merged.end, one.end);
          merged.value += one.value;
        }
        std::erase_if(sessions_, touches);
        sessions_.push_back(merged);
      }
    }
    for (const One& one : sessions_) {
      const bool on_time = one.end > before && one.end <= after;
      const bool update = one.end <= before && one.touched;
      if (!on_time && !update) continue;
      batch.results.push_back(
          TextOf(WindowResult<std::string, std::string>{one.key, {one.start, one.end}, SortedText(one.value)}));
    }
    std::sort(batch.results.begin(), batch.results.end());
    std::sort(batch.late.begin(), batch.late.end());
    return batch;
  }

 private:
  struct One {
    std::string key;
    std::int64_t start;
    std::int64_t end;
    std::string value;
    bool touched;
  };
  const std::int64_t gap_;
  const std::int64_t lateness_;
  std::vector<One> sessions_;
};

}  // namespace millrace
