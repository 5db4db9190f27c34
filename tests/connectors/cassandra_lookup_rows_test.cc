// Lookups in Cassandra without a server: keys to requests, the server's rows to rows for a job, columns that do not
// fit, and the options.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "executor/connectors/cassandra/lookup_statement.h"
#include "executor/connectors/cassandra/murmur3.h"
#include "executor/connectors/cassandra/read_value.h"
#include "executor/connectors/cassandra/value.h"
#include "executor/connectors/cassandra/wire.h"
#include "executor/connectors/lookup.h"
#include "millrace/internal/cassandra_lookup.h"
#include "tests/connectors/collect.h"

namespace millrace::cassandra {
namespace {

using testing::HasSubstr;

Column Make(std::string name, std::string type, ColumnKind kind, std::int32_t position = 0) {
  const ColumnType parsed = ParseType(type);
  return {std::move(name), std::move(type), parsed, kind, position};
}

// PRIMARY KEY ((shop, id), day)
Table Customers() {
  return {"ks",
          "customers",
          {Make("day", "int", ColumnKind::kClustering), Make("id", "bigint", ColumnKind::kPartitionKey, 1),
           Make("shop", "text", ColumnKind::kPartitionKey, 0), Make("name", "text", ColumnKind::kRegular),
           Make("tier", "tinyint", ColumnKind::kRegular), Make("tags", "set<text>", ColumnKind::kRegular)}};
}

LookupOptions Options() {
  LookupOptions options;
  options.key_columns = {"id", "shop", "day"};
  options.key_kinds = {"integer", "text", "integer"};
  options.columns = {"tier", "name"};
  options.kinds = {"integer", "text"};
  return options;
}

std::string Text(std::string_view text) { return WireWriter().Bytes(text).Take(); }
std::string Int(std::int32_t value) { return WireWriter().Int(4).Int(value).Take(); }
std::string Long(std::int64_t value) { return WireWriter().Int(8).Long(value).Take(); }

template <class Key>
absl::StatusOr<std::optional<Request>> Bind(const Key& key) {
  std::string bytes;
  detail::AppendCassandraKey(bytes, key);
  return LookupStatement::Make(Customers(), Options())->Bind(bytes, 7);
}

// The body of a RESULT that has rows and says nothing of its columns.
std::string Result(std::int32_t columns, const std::vector<std::string>& rows) {
  WireWriter out;
  out.Int(2).Int(4).Int(columns).Int(static_cast<std::int32_t>(rows.size()));
  for (const std::string& row : rows) out.Raw(row);
  return out.Take();
}

TEST(CassandraLookupRows, AKeyBecomesARequestForItsPartition) {
  const auto statement = LookupStatement::Make(Customers(), Options());
  ASSERT_TRUE(statement.ok()) << statement.status();
  EXPECT_EQ(statement->Cql(),
            R"(SELECT "tier", "name" FROM "ks"."customers" WHERE "id" = ? AND "shop" = ? AND "day" = ?)");
  const auto request = Bind(std::tuple(std::int64_t{5}, "north", 20));
  ASSERT_TRUE(request.ok() && request->has_value()) << request.status();
  EXPECT_EQ((*request)->values, Long(5) + Text("north") + Int(20));
  EXPECT_EQ((*request)->count, 3);
  EXPECT_EQ((*request)->statement, 7U);
  EXPECT_FALSE((*request)->timestamp_us.has_value());
  const std::string partition_key = WireWriter().String("north").Byte(0).Short(8).Long(5).Byte(0).Take();
  EXPECT_EQ((*request)->token, Murmur3Token(partition_key)) << "in the order of the partition key, not of key_columns";
}

TEST(CassandraLookupRows, AKeyWithANullHasNoRowAndOneThatDoesNotFitIsNamed) {
  using Key = std::tuple<std::int64_t, std::optional<std::string>, std::int64_t>;
  EXPECT_EQ(*Bind(Key{5, std::nullopt, 1}), std::nullopt);
  EXPECT_THAT(ErrorOf(Bind(Key{5, "north", std::int64_t{1} << 40})),
              HasSubstr("column 'day' (int): the value 1099511627776 is not from"));
  EXPECT_THAT(ErrorOf(Bind(Key{5, "\xff", 1})), HasSubstr("column 'shop' (text): a text that is not UTF-8"));
  EXPECT_THAT(ErrorOf(Bind(std::string("short"))), HasSubstr("does not fit"));
}

TEST(CassandraLookupRows, RowsAreReadOrThereIsNone) {
  const auto statement = LookupStatement::Make(Customers(), Options());
  const auto row = statement->Row(Result(2, {WireWriter().Int(1).Byte(0xfe).Take() + Text("Ada")}));
  ASSERT_TRUE(row.ok() && *row != nullptr) << row.status();
  std::tuple<int, std::string> read;
  std::size_t column = 0;
  EXPECT_EQ(detail::ReadCassandraValues(**row, read, column), "");
  EXPECT_EQ(read, std::tuple(-2, "Ada"));
  EXPECT_EQ(*statement->Row(Result(2, {})), nullptr);
  EXPECT_THAT(ErrorOf(statement->Row(Result(1, {Text("Ada")}))), HasSubstr("where 2 were asked for"));
  EXPECT_THAT(ErrorOf(statement->Row(Result(2, {Int(5) + Text("Ada")}))),
              HasSubstr("column 'tier' (tinyint): a value of 4 bytes, where there should be 1"));
  EXPECT_FALSE(statement->Row(Result(2, {Text("x")})).ok()) << "cut off";
}

// A value is written to a column of a type and read back: the same, for every pair that fits.
TEST(CassandraLookupRows, WhatTheSinkWritesALookupReads) {
  using Kind = detail::CassandraKind;
  const auto round = [](const auto& value, ColumnType type) {
    std::string field_bytes;
    detail::AppendCassandraValue(field_bytes, value);
    std::string_view left = field_bytes;
    detail::CassandraField field;
    EXPECT_TRUE(detail::ReadCassandraField(left, field));
    WireWriter wire;
    EXPECT_EQ(AppendValue(field, type, wire), "");
    std::string back;
    EXPECT_EQ(AppendField(std::string(wire.bytes().substr(4)), type, field.kind, back), "");
    EXPECT_EQ(back, field_bytes) << static_cast<int>(type);
  };
  for (const auto type : {ColumnType::kTinyint, ColumnType::kSmallint, ColumnType::kInt, ColumnType::kBigint}) {
    for (const int value : {0, 1, -1, 127, -128}) round(value, type);
  }
  for (const auto type : {ColumnType::kFloat, ColumnType::kDouble}) round(-0.5, type);
  for (const auto type : {ColumnType::kText, ColumnType::kAscii, ColumnType::kBlob}) round(std::string("text"), type);
  round(std::string(), ColumnType::kText);
  round(std::string("::1"), ColumnType::kInet);
  round(std::string("10.0.0.1"), ColumnType::kInet);
  round(true, ColumnType::kBoolean);
  round(CassandraBlob{"b"}, ColumnType::kBlob);
  round(CassandraUuid{}, ColumnType::kUuid);
  using Ms = std::chrono::sys_time<std::chrono::milliseconds>;
  for (const std::int64_t ms : {0LL, -1LL, 1'700'000'000'123LL})
    round(Ms(std::chrono::milliseconds(ms)), ColumnType::kTimestamp);
  for (const int days : {0, -1, 20'000}) round(std::chrono::sys_days(std::chrono::days(days)), ColumnType::kDate);

  std::string out;
  EXPECT_EQ(AppendField(std::nullopt, ColumnType::kInt, Kind::kInteger, out), "");
  EXPECT_EQ(AppendField(std::string(), ColumnType::kInt, Kind::kInteger, out), "") << "of old tables";
  EXPECT_EQ(out, std::string(2, static_cast<char>(Kind::kNull)));
  EXPECT_NE(AppendField(std::string(8, '\x7f'), ColumnType::kTimestamp, Kind::kTimestamp, out), "");
  EXPECT_NE(AppendField(std::string("abc"), ColumnType::kInet, Kind::kText, out), "");
}

TEST(CassandraLookupRows, ColumnsThatDoNotFitAreNamedWithTheRemedy) {
  const auto error = [](auto change) {
    LookupOptions options = Options();
    change(options);
    return ErrorOf(LookupStatement::Make(Customers(), options));
  };
  using O = LookupOptions&;
  EXPECT_THAT(error([](O o) { o.columns[1] = "nam"; }),
              HasSubstr("has no column 'nam', did you mean 'name'?; it has day, id, shop, name, tier, tags. Change the "
                        "option columns"));
  EXPECT_THAT(error([](O o) { o.columns[1] = "tags"; }), HasSubstr("of type set<text>, which a lookup does not read"));
  EXPECT_THAT(error([](O o) { o.kinds[0] = "text"; }),
              HasSubstr("column 'tier' is of type tinyint, and the job reads values of kind text from it"));
  EXPECT_THAT(error([](O o) { o.key_kinds[0] = "text"; }),
              HasSubstr("column 'id' is of type bigint, and the job has values of kind text for it"));
  EXPECT_THAT(error([](O o) {
                o.key_columns.pop_back();
                o.key_kinds.pop_back();
              }),
              HasSubstr("column 'day' is part of the primary key and not in the option key_columns"));
  EXPECT_THAT(error([](O o) {
                o.key_columns.push_back("name");
                o.key_kinds.push_back("text");
              }),
              HasSubstr("column 'name' is not part of the primary key"));
}

TEST(CassandraLookupRows, WrongOptionsAreRefusedBeforeAnyServerIsAsked) {
  const auto error = [](engine::Options more, std::string connector = "cassandra") {
    engine::Options options = {{"contact_points", "h"},  {"keyspace", "k"},     {"table", "t"},
                               {"key_columns", "id"},    {"key_kinds", "text"}, {"columns", "name,tier"},
                               {"kinds", "text,integer"}};
    for (const auto& [name, value] : more) options[name] = value;
    return ErrorOf(MakeLookup(Describe(std::move(connector), std::move(options))));
  };
  EXPECT_EQ(error({{"cache_rows", "0"}}), "OK");
  EXPECT_THAT(error({}, "casandra"), HasSubstr("there is no lookup connector 'casandra', did you mean 'cassandra'"));
  EXPECT_THAT(error({{"cache_row", "1"}}), HasSubstr("did you mean 'cache_rows'"));
  EXPECT_THAT(error({{"cache_ttl_ms", "-1"}}), HasSubstr("option cache_ttl_ms"));
  EXPECT_THAT(error({{"contact_points", "h:0"}}), HasSubstr("option contact_points"));
  EXPECT_THAT(error({{"consistency", "ANY"}}), HasSubstr("which is for writes"));
  EXPECT_THAT(error({{"columns", "name,name"}}), HasSubstr("names 'name' twice"));
  EXPECT_THAT(error({{"kinds", "text"}}), HasSubstr("has not one kind for each of columns"));
  EXPECT_THAT(error({{"username", "u"}}), HasSubstr("username and password_file need each other"));
}

}  // namespace
}  // namespace millrace::cassandra
