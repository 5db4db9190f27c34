// ToCassandra: what it puts into the plan, the rows that it makes, and what it refuses.
#include <gtest/gtest.h>

#include "millrace/cassandra.h"
#include "tests/sdk/harness.h"

namespace millrace {
namespace {

struct Visit {
  std::string user;
  std::int32_t hits = 0;
  std::optional<double> share;
};

CassandraSinkOptions To(std::vector<std::string> columns) {
  return {.contact_points = "h", .keyspace = "k", .table = "t", .columns = std::move(columns)};
}

// "U text:a integer:1 null".
std::string Show(const std::string& row) {
  char operation = 0;
  std::vector<detail::CassandraField> fields;
  if (!detail::ReadCassandraRow(row, 3, operation, fields)) return "damaged";
  std::string out(1, operation);
  for (const detail::CassandraField& field : fields) {
    out += " ";
    out += detail::kCassandraKindNames[static_cast<int>(field.kind)];
    if (!field.bytes.empty()) out += ":" + std::string(field.bytes);
    if (field.kind == detail::CassandraKind::kInteger) out += ":" + std::to_string(field.integer());
    if (field.kind == detail::CassandraKind::kReal) out += ":" + std::to_string(field.real());
  }
  return out;
}

TEST(CassandraOutputTest, PairsTuplesStructsAndRowsBecomeRows) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "d"});
    lines.Map([](std::string_view t) { return std::pair(t, t.size()); }).ToCassandra(To({"word", "n"}));
    lines.ToCassandra(To({"word", "n", "x"}), [](std::string_view t) { return std::tuple(t, -1, 2.5); });
    lines.ToCassandra(To({"user", "hits", "share"}), [](std::string_view t) {
      return Visit{std::string(t), 7, std::nullopt};
    });
    lines.ToCassandra(To({"a", "b"}), [](std::string_view t) {
      return t == "a" ? CassandraRow::Delete({t}) : CassandraRow::Upsert({t, CassandraUnset{}}).Add(nullptr);
    });
  });
  job.Feed(0, {{"a", "bb"}});
  job.RunBatch();
  const auto shown = [&job](std::uint32_t sink) {
    std::vector<std::string> all;
    for (const std::string& row : job.texts(sink)) all.push_back(Show(row));
    return all;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(shown(2), (Texts{"U text:a integer:1 unset", "U text:bb integer:2 unset"}));
  EXPECT_EQ(shown(3), (Texts{"U text:a integer:-1 real:2.500000", "U text:bb integer:-1 real:2.500000"}));
  EXPECT_EQ(shown(4), (Texts{"U text:a integer:7 null", "U text:bb integer:7 null"}));
  EXPECT_EQ(shown(5), (Texts{"D text:a unset unset", "U text:bb unset null"}));
  EXPECT_EQ(job.graph().operators[2].connector, "cassandra");
  EXPECT_EQ(job.graph().operators[2].options.at("columns"), "word,n");
  EXPECT_EQ(job.graph().operators[2].options.at("kinds"), "text,integer");
  EXPECT_EQ(job.graph().operators[4].options.at("kinds"), "text,integer,real");
  EXPECT_EQ(job.graph().operators[5].options.at("kinds"), "");
  EXPECT_EQ(job.graph().operators[2].options.at("marks_table"), "millrace_marks");
}

std::string Refusal(const CassandraSinkOptions& options) {
  try {
    Harness job([&](JobContext& ctx) {
      ctx.TextFiles({.directory = "d"}).Map([](std::string_view t) { return std::pair(t, 1); }).ToCassandra(options);
    });
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    return text.substr(text.find(": ") + 2);
  }
  return "none";
}

TEST(CassandraOutputTest, WhatIsMissingIsRefusedWhereItIsAdded) {
  EXPECT_EQ(Refusal(To({"a", "b"})), "none");
  EXPECT_EQ(Refusal({}), "option contact_points is empty; it must be given");
  EXPECT_EQ(Refusal(To({})), "option columns is empty; it must be given");
  EXPECT_EQ(Refusal(To({"a", "b,c"})), "column 'b,c' has a comma; give each column on its own");
  EXPECT_EQ(Refusal(To({"a"})),
            "option columns names 1 columns (a), but the record has 2 fields; name one column for each field, in their "
            "order");
}

}  // namespace
}  // namespace millrace
