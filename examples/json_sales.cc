// JSON lines from Kafka: sales added up by country. What is no sale goes to a topic of its own, with the reason and the
// place it came from.
//
//   millrace submit json_sales.so --arg brokers=127.0.0.1:9092 --arg in=sales --arg out=totals --arg bad=bad-sales
#include <millrace/formats/json.h>
#include <millrace/millrace.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

enum class Currency { kEur, kUsd };
MILLRACE_ENUM(Currency, {"EUR", Currency::kEur}, {"USD", Currency::kUsd})

struct Line {
  std::string_view article;
  std::uint16_t count = 0;
  std::int64_t cents = 0;
};
MILLRACE_FIELDS(Line, article, count, cents)

struct Sale {
  std::uint64_t id = 0;
  std::string country;  // std::string: it may be written with escapes
  Currency currency = Currency::kEur;
  std::optional<std::string> coupon;
  std::vector<Line> lines;
};
MILLRACE_FIELDS(Sale, id, country, currency, coupon, lines)

struct Total {
  std::string country;
  std::int64_t sales = 0;
  std::int64_t cents = 0;
};
MILLRACE_FIELDS(Total, country, sales, cents)

struct Refused {
  std::uint32_t partition = 0;
  std::int64_t offset = 0;
  std::string reason;
};
MILLRACE_FIELDS(Refused, partition, offset, reason)

using Sum = std::pair<std::int64_t, std::int64_t>;

Sum SumOf(const Sale& sale) {
  Sum sum(1, 0);
  for (const Line& line : sale.lines) sum.second += line.count * line.cents;
  return sum;
}

}  // namespace

MILLRACE_JOB(json_sales, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 200ms));
  const std::string brokers = ctx.Arg("brokers", "127.0.0.1:9092");
  const auto sales = ctx.KafkaText({.brokers = brokers,
                                    .topics = {ctx.Arg("in", "sales")},
                                    .start = millrace::KafkaStart::Parse(ctx.Arg("start", "earliest"))})
                         .Uid("lines")
                         .Map([](std::string_view line) {
                           const auto sale = millrace::ParseJson<Sale>(line);
                           return std::pair(sale.country, SumOf(sale));
                         });
  sales.Uid("parse")
      .ReduceByKey([](const Sum& a, const Sum& b) { return Sum(a.first + b.first, a.second + b.second); })
      .ToKafka({.brokers = brokers, .topic = ctx.Arg("out", "totals")},
               [](const std::pair<std::string, Sum>& total) {
                 return millrace::ToJson(Total{total.first, total.second.first, total.second.second});
               })
      .Uid("totals");
  sales.BadRecords().Uid("bad").ToKafka(
      {.brokers = brokers, .topic = ctx.Arg("bad", "bad-sales")}, [](const millrace::BadRecord& bad) {
        return millrace::ToJson(Refused{bad.partition, bad.position.value_or(-1), bad.reason});
      });
}
