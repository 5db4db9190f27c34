// Bad records: what an operator does when its function throws for one, under each policy, and where each bad record is
// said to come from.
#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;

// Throws for texts that begin with '!'.
std::size_t Size(std::string_view text) {
  if (text.starts_with('!')) throw std::runtime_error("bad: " + std::string(text));
  return text.size();
}

// "bytes topic/partition@position operator: reason"; line numbers are left out.
std::string Describe(const BadRecord& bad) {
  const std::string op = bad.failed_operator.substr(0, bad.failed_operator.find(':'));
  return "[" + bad.bytes + "] " + std::to_string(bad.partition) + "@" + TextOf(bad.position) + " " + op + ": " +
         bad.reason;
}

const std::vector<Harness::Split> kInput = {{"a", "!b", "cc", "!!"}, {"!", "ddd", ""}};

// Runs `build`, which ends with two outputs: the records, and (last) the bad ones. Gives both.
template <class F>
std::pair<Texts, Texts> BothOf(const F& build, const std::vector<Harness::Split>& input = kInput,
                               std::uint64_t* counted = nullptr, std::uint32_t op = 1) {
  std::pair<Texts, Texts> first;
  for (const std::size_t chunk : {engine::kChunkRecords, std::size_t{1}, std::size_t{3}}) {
    std::pair<std::uint32_t, std::uint32_t> sinks;
    Harness job([&](JobContext& ctx) { sinks = build(ctx.TextFiles({.directory = "d"})); });
    job.chunk = chunk;
    job.Feed(0, input);
    job.RunBatch();
    const std::pair<Texts, Texts> texts(job.texts(sinks.first), job.texts(sinks.second));
    if (chunk != engine::kChunkRecords) {
      EXPECT_EQ(texts, first) << "chunks of " << chunk;
    }
    first = texts;
    if (counted != nullptr) *counted = job.count(op, "bad_records");
  }
  return first;
}

template <class S>
std::pair<std::uint32_t, std::uint32_t> Outputs(const S& stream) {
  const auto bad = stream.BadRecords().Map(Describe).Print(1'000'000);
  return {stream.Print(1'000'000).id(), bad.id()};
}

TEST(BadRecordsTest, ByDefaultTheyFail) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Map(Size).Print(); });
  EXPECT_EQ(job.graph().operators[1].bad_records, engine::BadRecords::kFail);
  job.Feed(0, kInput);
  EXPECT_THROW(job.RunBatch(), std::runtime_error);
}

TEST(BadRecordsTest, Skip) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Map(Size).SkipBadRecords().Print(); });
  EXPECT_EQ(job.graph().operators[1].bad_records, engine::BadRecords::kSkip);
  job.Feed(0, kInput);
  job.RunBatch();
  EXPECT_EQ(job.texts(2), (Texts{"1", "2", "3", "0"}));
  EXPECT_EQ(job.count(1, "bad_records"), 3u);
  job.RunBatch();
  EXPECT_EQ(job.count(1, "bad_records"), 6u);
}

TEST(BadRecordsTest, OfAMap) {
  std::uint64_t counted = 0;
  const auto [good, bad] = BothOf([](auto lines) { return Outputs(lines.Map(Size)); }, kInput, &counted);
  EXPECT_EQ(good, (Texts{"1", "2", "3", "0"}));
  EXPECT_EQ(bad, (Texts{"[!b] 0@2 Map at bad_records_test.cc: bad: !b", "[!!] 0@6 Map at bad_records_test.cc: bad: !!",
                        "[!] 1@1 Map at bad_records_test.cc: bad: !"}));
  EXPECT_EQ(counted, 3u);
}

// Nothing of a bad record comes out, also not what it emitted before the throw, be it little or much.
TEST(BadRecordsTest, OfAFlatMapThatEmits) {
  for (const int many : {1, 1023, 1024, 5000}) {
    const auto [good, bad] = BothOf([&](auto lines) {
      return Outputs(lines.template FlatMap<std::string>([many](std::string_view line, auto&& emit) {
        for (int i = 0; i < many; ++i) emit(std::string(line));
        if (line.size() == 2) throw std::invalid_argument("two");
      }));
    });
    Texts want;
    for (const char* line : {"a", "!", "ddd", ""}) want.insert(want.end(), static_cast<std::size_t>(many), line);
    EXPECT_EQ(good, want) << many;
    EXPECT_EQ(bad,
              (Texts{"[!b] 0@2 FlatMap at bad_records_test.cc: two", "[cc] 0@4 FlatMap at bad_records_test.cc: two",
                     "[!!] 0@6 FlatMap at bad_records_test.cc: two"}));
  }
}

TEST(BadRecordsTest, OfAFlatMapThatGivesARange) {
  const auto [good, bad] = BothOf([](auto lines) {
    return Outputs(lines.FlatMap([](std::string_view line) { return std::vector<std::size_t>(2, Size(line)); }));
  });
  EXPECT_EQ(good, (Texts{"1", "1", "2", "2", "3", "3", "0", "0"}));
  EXPECT_EQ(bad.size(), 3u);
}

TEST(BadRecordsTest, OfAFilter) {
  const auto keep = [](std::string_view line) { return Size(line) != 2; };
  const auto [good, bad] = BothOf([&](auto lines) { return Outputs(lines.Filter(keep)); });
  EXPECT_EQ(good, (Texts{"a", "ddd", ""}));
  EXPECT_EQ(bad,
            (Texts{"[!b] 0@2 Filter at bad_records_test.cc: bad: !b", "[!!] 0@6 Filter at bad_records_test.cc: bad: !!",
                   "[!] 1@1 Filter at bad_records_test.cc: bad: !"}));
  // Records that are passed on in place.
  const auto [large, bad_large] = BothOf([](auto lines) {
    return Outputs(lines.Map([](std::string_view line) { return std::vector<std::string>(3, std::string(line)); })
                       .Filter([](const std::vector<std::string>& row) { return Size(row[0]) != 2; }));
  });
  EXPECT_EQ(large, (Texts{"[a, a, a]", "[ddd, ddd, ddd]", "[, , ]"}));
  EXPECT_EQ(bad_large, bad);
}

TEST(BadRecordsTest, OfOperatorsOnPairs) {
  const auto pairs = [](auto lines) { return lines.Map([](std::string_view line) { return std::pair(1, line); }); };
  const auto mapped = BothOf([&](auto lines) { return Outputs(pairs(lines).MapValues(Size)); });
  EXPECT_EQ(mapped.first, (Texts{"(1, 1)", "(1, 2)", "(1, 3)", "(1, 0)"}));
  EXPECT_EQ(mapped.second[0], "[!b] 0@2 MapValues at bad_records_test.cc: bad: !b");
  const auto flat = BothOf([&](auto lines) {
    return Outputs(pairs(lines).template FlatMapValues<std::size_t>([](std::string_view line, auto&& emit) {
      emit(std::size_t{7});
      emit(Size(line));
    }));
  });
  EXPECT_EQ(flat.first, (Texts{"(1, 7)", "(1, 1)", "(1, 7)", "(1, 2)", "(1, 7)", "(1, 3)", "(1, 7)", "(1, 0)"}));
  EXPECT_EQ(flat.second[2], "[!] 1@1 FlatMapValues at bad_records_test.cc: bad: !");
}

// Deep in a stage the position is that of the source record from which the bad one was made, and the bytes are its.
TEST(BadRecordsTest, DeepInASourceStage) {
  const auto [good, bad] = BothOf(
      [](auto lines) {
        return Outputs(lines.FlatMap([](std::string_view line, auto&& emit) { ForEachWord(line, emit); })
                           .Filter([](std::string_view word) { return word != "x"; })
                           .Map(Size));
      },
      {{"a !b", "x x", "!c dd !e"}, {"x !f", ""}});
  EXPECT_EQ(good, (Texts{"1", "2"}));
  EXPECT_EQ(
      bad,
      (Texts{"[a !b] 0@0 Map at bad_records_test.cc: bad: !b", "[!c dd !e] 0@4 Map at bad_records_test.cc: bad: !c",
             "[!c dd !e] 0@4 Map at bad_records_test.cc: bad: !e", "[x !f] 1@1 Map at bad_records_test.cc: bad: !f"}));
}

TEST(BadRecordsTest, AfterAnExchangeThereIsNoPosition) {
  const auto [good, bad] = BothOf([](auto lines) {
    return Outputs(lines.Map([](std::string_view line) { return std::pair(std::string(line), 1); })
                       .ReduceByKey([](int a, int b) { return a + b; }, 1)
                       .Map([](const auto& pair) { return Size(pair.first); }));
  });
  EXPECT_EQ(good, (Texts{"1", "2", "3", "0"}));
  EXPECT_EQ(bad, (Texts{"[(!b, 1)] 0@none Map at bad_records_test.cc: bad: !b",
                        "[(!!, 1)] 0@none Map at bad_records_test.cc: bad: !!",
                        "[(!, 1)] 0@none Map at bad_records_test.cc: bad: !"}));
}

// What MapPartitions gives when its stage ends belongs to no source record.
TEST(BadRecordsTest, AfterMapPartitionsThereIsNoPosition) {
  const auto [good, bad] = BothOf([](auto lines) {
    return Outputs(lines
                       .MapPartitions([](std::span<const std::string_view> rows, auto&& emit) {
                         for (const std::string_view row : rows) emit(row);
                       })
                       .Map(Size));
  });
  EXPECT_EQ(good, (Texts{"1", "2", "3", "0"}));
  EXPECT_EQ(bad[0], "[!b] 0@none Map at bad_records_test.cc: bad: !b");
}

// A union of a source and an exchange: in one stage there is a position, in the other there is none.
TEST(BadRecordsTest, AUnionOfASourceAndAnExchange) {
  const auto [good, bad] =
      BothOf([](auto lines) { return Outputs(lines.Union(lines.Repartition(1)).Map(Size)); }, {{"a", "!b"}});
  EXPECT_EQ(good, (Texts{"1", "1"}));
  EXPECT_EQ(bad,
            (Texts{"[!b] 0@1 Map at bad_records_test.cc: bad: !b", "[!b] 0@none Map at bad_records_test.cc: bad: !b"}));
}

struct Click {
  char page[8];  // a struct whose fields nobody can list
  int n;
};
}  // namespace
template <>
inline constexpr bool kPlainAggregate<Click> = false;
namespace {

TEST(BadRecordsTest, GeneratedRecordsAreGivenAsText) {
  std::vector<engine::SourceRecord> records(3);
  for (std::size_t i = 0; i < records.size(); ++i) records[i].position = static_cast<std::int64_t>(i) + 40;
  struct Output : engine::TaskOutput {
    Texts rows;
    void Block(std::uint32_t, std::uint32_t, std::string, std::uint64_t) override {}
    void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
    void Rows(std::uint32_t, std::span<const engine::SinkRow> given) override {
      for (const engine::SinkRow& row : given) rows.emplace_back(row.value);
    }
  } output;
  Harness job([](JobContext& ctx) {
    ctx.Generator({}, [](std::uint64_t i, std::uint64_t) { return i; })
        .Map([](std::uint64_t i) { return i % 2 == 0 ? throw std::runtime_error("even") : i; })
        .BadRecords()
        .Map(Describe)
        .Print();
  });
  const auto task = job.program().NewTask({}, output);
  task->Records(records);
  task->Finish();
  EXPECT_EQ(output.rows,
            (Texts{"[40] 0@40 Map at bad_records_test.cc: even", "[42] 0@42 Map at bad_records_test.cc: even"}));
}

TEST(BadRecordsTest, EveryRecordTypeHasSomeText) {
  const auto text = [](const auto& value) {
    std::string out;
    detail::AppendKnown(out, value);
    return out;
  };
  EXPECT_EQ(text(std::string("a b")), "a b");
  EXPECT_EQ(text(std::pair(1, std::string_view("x"))), "(1, x)");
  EXPECT_EQ(text(std::tuple(1, true, 2.5)), "(1, true, 2.5)");
  EXPECT_EQ(text(std::vector<std::optional<int>>{1, std::nullopt}), "[1, none]");
  EXPECT_EQ(text(std::vector<bool>{}), "[]");
  EXPECT_EQ(text(std::map<std::string, std::vector<int>>{{"k", {1, 2}}, {"l", {}}}), "{k: [1, 2], l: []}");
  EXPECT_EQ(text(std::pair(std::string("k"), std::make_shared<int>(1))).substr(0, 5), "(k, <");
  EXPECT_NE(text(Click{}).find("Click>"), std::string::npos);
}

TEST(BadRecordsTest, WhatConsumersThrowIsNotTheOperatorsOwn) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Filter([](std::string_view) { return true; })
        .SkipBadRecords()
        .FlatMap([](std::string_view line) { return std::vector<std::string_view>(2000, line); })
        .SkipBadRecords()
        .Map(Size)
        .Print();
  });
  job.Feed(0, kInput);
  EXPECT_THROW(job.RunBatch(), std::runtime_error);
}

TEST(BadRecordsTest, LackOfMemoryIsNoFaultOfTheRecord) {
  Harness job([](JobContext& ctx) {
    ctx.TextFiles({.directory = "d"})
        .Map([](std::string_view) -> int { throw std::bad_alloc(); })
        .SkipBadRecords()
        .Print();
  });
  job.Feed(0, kInput);
  EXPECT_THROW(job.RunBatch(), std::bad_alloc);
}

TEST(BadRecordsTest, WhatIsThrownNeedsNotBeAnException) {
  const auto [good, bad] = BothOf(
      [](auto lines) { return Outputs(lines.Map([](std::string_view line) { return line == "x" ? throw 7 : 1; })); },
      {{"x", "y"}});
  EXPECT_EQ(good, Texts{"1"});
  EXPECT_EQ(bad, Texts{"[x] 0@0 Map at bad_records_test.cc: something was thrown that is no std::exception"});
}

TEST(BadRecordsTest, AllBadAndNoneBad) {
  const auto build = [](auto lines) { return Outputs(lines.Map(Size)); };
  EXPECT_EQ(BothOf(build, {Harness::Split(3000, "!")}).second.size(), 3000u);
  EXPECT_EQ(BothOf(build, {Harness::Split(3000, "!")}).first.size(), 0u);
  EXPECT_EQ(BothOf(build, {Harness::Split(3000, "x")}).first.size(), 3000u);
  EXPECT_EQ(BothOf(build, {Harness::Split(3000, "x")}).second.size(), 0u);
  EXPECT_EQ(BothOf(build, {{}, {}}).second.size(), 0u);
}

TEST(BadRecordsTest, DeadLettersAreAStreamLikeOthers) {
  Harness job([](JobContext& ctx) {
    const auto sizes = ctx.TextFiles({.directory = "d"}).Map(Size);                                    // 0, 1
    sizes.BadRecords().ToFiles({.directory = "bad"}, [](const BadRecord& bad) { return bad.bytes; });  // 2, 3
    sizes.BadRecords().Repartition(2).Count().Print();                                                 // 4, 5, 6, 7
    sizes.SkipBadRecords();  // changes nothing
  });
  EXPECT_EQ(job.graph().operators[1].bad_records, engine::BadRecords::kDeadLetter);
  EXPECT_TRUE(job.graph().operators[2].side);
  job.Feed(0, kInput);
  job.RunBatch();
  EXPECT_EQ(job.texts(3), (Texts{"!b", "!!", "!"}));
  EXPECT_EQ(job.texts(7), Texts{"3"});
  EXPECT_EQ(FromBytes<BadRecord>(ToBytes(BadRecord{.bytes = "b", .position = 7})).position, 7);
}

TEST(BadRecordsTest, OnlyOperatorsOfSingleRecordsHaveThem) {
  const auto refusal = [](const auto& build) -> std::string {
    try {
      Harness job([&](JobContext& ctx) { build(ctx.TextFiles({.directory = "d"})); });
    } catch (const std::invalid_argument& error) {
      const std::string text = error.what();
      return text.substr(text.find(": ") + 2);
    }
    return "accepted";
  };
  const std::string rest =
      " calls no function for single records; put what may throw into a Map, FlatMap, Filter, MapValues or "
      "FlatMapValues, and call ";
  const auto without_lines = [](std::string text) {
    const std::size_t at = text.find(".cc:");
    return text.erase(at + 3, text.find(' ', at) - at - 3);
  };
  EXPECT_EQ(without_lines(refusal([](auto lines) { lines.SkipBadRecords(); })),
            "TextFiles at bad_records_test.cc" + rest + "SkipBadRecords on what that gives");
  EXPECT_EQ(without_lines(refusal([](auto lines) { lines.Count().BadRecords(); })),
            "Count at bad_records_test.cc" + rest + "BadRecords on what that gives");
  EXPECT_NE(refusal([](auto lines) { lines.Union(lines).BadRecords(); }), "accepted");
  EXPECT_NE(refusal([](auto lines) { lines.Glom().BadRecords(); }), "accepted");
}

}  // namespace
}  // namespace millrace
