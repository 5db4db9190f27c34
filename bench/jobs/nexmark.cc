// Queries of Nexmark as pipelines over a backlog in Kafka; the events are described in bench/tools/nexmark_events.h.
//
//   1  every bid's price in another currency                  a sum of all of them
//   2  the bids for some auctions                             a sum of their prices
//   5  the auction with the most bids in the last 10 s, each 2 s           how many bids it had
//   7  the highest bid of each 10 s                           its price
//   8  who became a seller in the 10 s in which he registered              how many
//   join  every bid for an auction within 10 s of its beginning; bids and auctions are two topics       how many
//
// What each batch gives is added up: each partition writes "sum<TAB>results" to Kafka, exactly once. Windows are of
// event time. Arguments: brokers, in, out, query, interval; of the join also auctions (the second topic).
#include <millrace/millrace.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;
using millrace::KafkaStart;
using millrace::Sliding;
using millrace::Tumbling;

namespace {

using Number = std::uint64_t;
using Keyed = std::pair<Number, Number>;

struct Event {
  char kind = 0;  // P, A or B
  Number id = 0;  // of a bid: its auction
  Number time_ms = 0;
  Number who = 0;  // an auction's seller, a bid's bidder
  Number price = 0;
};

Number TakeNumber(std::string_view& rest) {
  Number number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc() || end == rest.data() + rest.size() || *end != ',') throw std::invalid_argument("no number");
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
  return number;
}

Event Parse(std::string_view line) {
  if (line.size() < 2) throw std::invalid_argument("an event is cut off");
  Event event;
  event.kind = line[0];
  line.remove_prefix(2);
  event.id = TakeNumber(line);
  event.time_ms = TakeNumber(line);
  if (event.kind != 'P') event.who = TakeNumber(line);
  if (event.kind == 'B') event.price = TakeNumber(line);
  return event;
}

std::int64_t TimeOf(const Event& event) { return static_cast<std::int64_t>(event.time_ms) * 1000; }
Number Larger(Number a, Number b) { return std::max(a, b); }

millrace::DStream<std::string_view> Lines(millrace::JobContext& ctx, const std::string& topic) {
  return ctx.KafkaText({.brokers = ctx.Arg("brokers"), .topics = {topic}, .start = KafkaStart::Parse("earliest")});
}

// The events of some kinds.
auto Events(millrace::JobContext& ctx, const std::string& topic, std::string kinds) {
  return Lines(ctx, topic).FlatMap<Event>([kinds = std::move(kinds)](std::string_view line, auto&& emit) {
    if (kinds.find(line.empty() ? '\0' : line[0]) != std::string::npos) emit(Parse(line));
  });
}

void Write(millrace::JobContext& ctx, const millrace::DStream<std::string>& sums) {
  sums.ToKafka({.brokers = ctx.Arg("brokers"), .topic = ctx.Arg("out")});
}

// The sum and the number of what f picks of the bids.
template <class F>
void SumOfBids(millrace::JobContext& ctx, F f) {
  const auto sums =
      Lines(ctx, ctx.Arg("in"))
          .FlatMap<Keyed>([f](std::string_view line, auto&& emit) {
            if (line.empty() || line[0] != 'B') return;
            if (const Event bid = Parse(line); f(bid) > 0) emit(Keyed(f(bid), 1));
          })
          .Reduce([](const Keyed& a, const Keyed& b) { return Keyed(a.first + b.first, a.second + b.second); })
          .Map([](const Keyed& sum) { return std::to_string(sum.first) + '\t' + std::to_string(sum.second); });
  Write(ctx, sums);
}

// The sum and the number of windows' results.
template <class Windows>
void SumOfWindows(millrace::JobContext& ctx, const Windows& windows) {
  using Result = millrace::WindowResult<Number, Number>;
  Write(ctx, windows.Records().template MapPartitions<std::string>([](std::span<const Result> results, auto&& emit) {
    Number sum = 0;
    for (const Result& result : results) sum += result.value;
    if (!results.empty()) emit(std::to_string(sum) + '\t' + std::to_string(results.size()));
  }));
}

Keyed OneKey(const millrace::WindowResult<Number, Number>& result) { return {0, result.value}; }

void Join(millrace::JobContext& ctx) {
  const auto bids = Events(ctx, ctx.Arg("in"), "B").WithTimestamps(TimeOf).Map([](const Event& bid) {
    return Keyed(bid.id, bid.price);
  });
  const auto auctions = Events(ctx, ctx.Arg("auctions"), "A").WithTimestamps(TimeOf).Map([](const Event& auction) {
    return Keyed(auction.id, auction.who);
  });
  using Pair = std::pair<Number, std::pair<Number, Number>>;
  Write(ctx, auctions.IntervalJoin(bids, 0s, 10s)
                 .Records()
                 .MapPartitions<std::string>([](std::span<const Pair> pairs, auto&& emit) {
                   if (!pairs.empty()) emit(std::to_string(pairs.size()) + "\t1");
                 }));
}

}  // namespace

MILLRACE_JOB(nexmark, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 1000ms));
  ctx.DefaultPartitions(ctx.Arg("partitions", 2));
  const std::string query = ctx.Arg("query");
  if (query == "1") {
    SumOfBids(ctx, [](const Event& bid) { return bid.price * 908 / 1000; });
  } else if (query == "2") {
    SumOfBids(ctx, [](const Event& bid) { return bid.id % 123 == 0 ? bid.price : 0; });
  } else if (query == "5") {
    SumOfWindows(ctx, Events(ctx, ctx.Arg("in"), "B")
                          .WithTimestamps(TimeOf)
                          .Map([](const Event& bid) { return Keyed(bid.id, 1); })
                          .WindowByKey(Sliding(10s, 2s))
                          .Count()
                          .Map(OneKey)
                          .WindowByKey(Tumbling(2s))
                          .Reduce(Larger));
  } else if (query == "7") {
    SumOfWindows(ctx, Events(ctx, ctx.Arg("in"), "B")
                          .WithTimestamps(TimeOf)
                          .Map([](const Event& bid) { return Keyed(bid.who % 16, bid.price); })
                          .WindowByKey(Tumbling(10s))
                          .Reduce(Larger)
                          .Map(OneKey)
                          .WindowByKey(Tumbling(10s))
                          .Reduce(Larger));
  } else if (query == "8") {
    SumOfWindows(
        ctx, Events(ctx, ctx.Arg("in"), "PA")
                 .WithTimestamps(TimeOf)
                 .Map([](const Event& event) { return event.kind == 'P' ? Keyed(event.id, 1) : Keyed(event.who, 2); })
                 .WindowByKey(Tumbling(10s))
                 .Reduce([](Number a, Number b) { return a | b; })
                 .Filter([](const auto& seen) { return seen.value == 3; })
                 .Map([](const auto& seen) { return Keyed(seen.key % 16, 1); })
                 .WindowByKey(Tumbling(10s))
                 .Count());
  } else if (query == "join") {
    Join(ctx);
  } else {
    throw std::invalid_argument("there is no query '" + query + "': 1, 2, 5, 7, 8, join");
  }
}
