// Rows of a batch to writes: values for the columns' types, rows of one key joined, errors that name the column; and
// the options of the sink.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "executor/connectors/cassandra/murmur3.h"
#include "executor/connectors/cassandra/row_binder.h"
#include "executor/connectors/cassandra/value.h"
#include "millrace/cassandra.h"
#include "tests/connectors/collect.h"

namespace millrace::cassandra {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

Column Make(std::string name, std::string type, ColumnKind kind, std::int32_t position = 0) {
  const ColumnType parsed = ParseType(type);
  return {std::move(name), std::move(type), parsed, kind, position};
}

Table Words() {
  return {"ks",
          "words",
          {Make("day", "int", ColumnKind::kClustering), Make("word", "text", ColumnKind::kPartitionKey),
           Make("n", "bigint", ColumnKind::kRegular), Make("note", "text", ColumnKind::kRegular),
           Make("tags", "set<text>", ColumnKind::kRegular)}};
}

const std::vector<std::string> kColumns = {"word", "day", "n", "note"};
constexpr RowBinder::Statements kStatements{10, 20};

std::vector<Request> Bind(const std::vector<CassandraRow>& rows) {
  auto binder = RowBinder::Make(Words(), kColumns, {});
  EXPECT_TRUE(binder.ok());
  std::vector<engine::SinkRow> sink_rows;
  for (const CassandraRow& row : rows) sink_rows.push_back({{}, row.encoded(), false});
  auto writes = binder->Bind(sink_rows, 1000, kStatements);
  EXPECT_TRUE(writes.ok()) << writes.status();
  return writes.ok() ? *writes : std::vector<Request>();
}

std::string BindError(const CassandraRow& row) {
  auto binder = RowBinder::Make(Words(), kColumns, {});
  const engine::SinkRow sink_row{{}, row.encoded(), false};
  return ErrorOf(binder->Bind({&sink_row, 1}, 1000, kStatements));
}

std::string Text(std::string_view text) { return WireWriter().Bytes(text).Take(); }
std::string Int(std::int32_t value) { return WireWriter().Int(4).Int(value).Take(); }
std::string Long(std::int64_t value) { return WireWriter().Int(8).Long(value).Take(); }
const std::string kUnset = WireWriter().Unset().Take();
const std::string kNull = WireWriter().Null().Take();

TEST(CassandraRows, AnUpsertBindsEveryColumn) {
  const auto writes = Bind({CassandraRow::Upsert({"a", 7, 3L, nullptr})});
  ASSERT_EQ(writes.size(), 1U);
  EXPECT_EQ(writes[0].statement, kStatements.insert);
  EXPECT_EQ(writes[0].count, 4);
  EXPECT_EQ(writes[0].values, Text("a") + Int(7) + Long(3) + kNull);
  EXPECT_EQ(writes[0].timestamp_us, 1001);
  EXPECT_EQ(writes[0].token, Murmur3Token("a"));
}

TEST(CassandraRows, RowsOfOneKeyAreJoinedInTheirOrder) {
  const auto writes = Bind({CassandraRow::Upsert({"a", 7, 3, "first"}), CassandraRow::Upsert({"b", 7, 1}),
                            CassandraRow::Upsert({"a", 7, 4}), CassandraRow::Upsert({"a", 8, 5})});
  ASSERT_EQ(writes.size(), 3U);
  EXPECT_EQ(writes[0].values, Text("a") + Int(7) + Long(4) + Text("first"));
  EXPECT_EQ(writes[1].values, Text("b") + Int(7) + Long(1) + kUnset);
  EXPECT_EQ(writes[2].values, Text("a") + Int(8) + Long(5) + kUnset);
}

TEST(CassandraRows, ADeleteDiscardsWhatCameBeforeAndNotWhatComesAfter) {
  auto writes = Bind({CassandraRow::Upsert({"a", 7, 3, "x"}), CassandraRow::Delete({"a", 7})});
  ASSERT_EQ(writes.size(), 1U);
  EXPECT_EQ(writes[0].statement, kStatements.remove);
  EXPECT_EQ(writes[0].values, Text("a") + Int(7));
  EXPECT_EQ(writes[0].timestamp_us, 1000);

  writes =
      Bind({CassandraRow::Upsert({"a", 7, 3, "x"}), CassandraRow::Delete({"a", 7}), CassandraRow::Upsert({"a", 7, 9})});
  ASSERT_EQ(writes.size(), 2U);
  EXPECT_EQ(writes[0].statement, kStatements.remove);
  EXPECT_EQ(writes[1].values, Text("a") + Int(7) + Long(9) + kUnset);
  EXPECT_GT(writes[1].timestamp_us, writes[0].timestamp_us) << "at equal times Cassandra lets a delete win";
}

TEST(CassandraRows, ACompositePartitionKeyHasLengths) {
  Table table{
      "ks", "t", {Make("b", "int", ColumnKind::kPartitionKey, 1), Make("a", "text", ColumnKind::kPartitionKey, 0)}};
  auto binder = RowBinder::Make(table, {"b", "a"}, {});
  ASSERT_TRUE(binder.ok());
  const CassandraRow row = CassandraRow::Upsert({1, "x"});
  const engine::SinkRow sink_row{{}, row.encoded(), false};
  const auto writes = binder->Bind({&sink_row, 1}, 1, kStatements);
  EXPECT_EQ((*writes)[0].token, Murmur3Token("\0\1x\0\0\4\0\0\0\1\0"s));
  EXPECT_EQ(binder->DeleteCql(), "DELETE FROM \"ks\".\"t\" WHERE \"a\" = ? AND \"b\" = ?");
  EXPECT_EQ(binder->InsertCql(60), "INSERT INTO \"ks\".\"t\" (\"b\", \"a\") VALUES (?, ?) USING TTL 60");
}

TEST(CassandraRows, WrongRowsNameColumnAndReason) {
  EXPECT_EQ(BindError(CassandraRow::Upsert({"a", 3'000'000'000L})),
            "cassandra table ks.words: column 'day' (int): the value 3000000000 is not from -2147483648 to 2147483647");
  EXPECT_THAT(BindError(CassandraRow::Upsert({"a", "x"})), HasSubstr("a value of kind text does not fit"));
  EXPECT_THAT(BindError(CassandraRow::Upsert({"a"})), HasSubstr("'day' (int): a row without a value for this part"));
  EXPECT_THAT(BindError(CassandraRow::Upsert({nullptr, 1})), HasSubstr("'word' (text): a row without a value"));
  EXPECT_THAT(BindError(CassandraRow::Upsert({"a\xff", 1})), HasSubstr("not UTF-8"));
  EXPECT_THAT(BindError(CassandraRow::Upsert({"a", 1, 1, "x", 5})), HasSubstr("more values than the 4"));
}

TEST(CassandraRows, DamagedRowsAreRefused) {
  auto binder = RowBinder::Make(Words(), kColumns, {});
  const std::string good = CassandraRow::Upsert({"abc", 1, 2, "x"}).encoded();
  for (std::size_t size = 0; size < good.size(); ++size) {
    const engine::SinkRow row{{}, std::string_view(good).substr(0, size), false};
    auto writes = binder->Bind({&row, 1}, 1, kStatements);
    if (writes.ok()) {
      EXPECT_GE(size, good.size() - 16) << "only values at the end may be missing";
    }
  }
  const engine::SinkRow strange{{}, "X", false};
  EXPECT_FALSE(binder->Bind({&strange, 1}, 1, kStatements).ok());
}

TEST(CassandraTables, WrongColumnsAreNamed) {
  EXPECT_EQ(
      ErrorOf(RowBinder::Make(Words(), {"word", "day", "nn"}, {})),
      "cassandra table ks.words has no column 'nn', did you mean 'n'?; it has day, word, n, note, tags. Change the "
      "option columns, or ALTER TABLE");
  EXPECT_THAT(ErrorOf(RowBinder::Make(Words(), {"word", "n"}, {})),
              HasSubstr("column 'day' is part of the primary key and not in the option columns"));
  EXPECT_THAT(ErrorOf(RowBinder::Make(Words(), {"word", "day", "tags"}, {})),
              HasSubstr("'tags' is of type set<text>, which this sink does not write"));
  EXPECT_THAT(ErrorOf(RowBinder::Make(Words(), {"word", "day"}, {"text", "text"})),
              HasSubstr("column 'day' is of type int, and the job writes values of kind text to it"));
  EXPECT_TRUE(RowBinder::Make(Words(), kColumns, {"text", "integer", "integer", "text"}).ok());
}

std::string Encode(const CassandraValue& value, ColumnType type) {
  std::string_view left = value.encoded();
  detail::CassandraField field;
  EXPECT_TRUE(detail::ReadCassandraField(left, field));
  WireWriter out;
  const std::string why = AppendValue(field, type, out);
  return why.empty() ? out.Take() : why;
}

TEST(CassandraValues, HaveTheirColumnsBytes) {
  using std::chrono::microseconds;
  using Time = std::chrono::sys_time<microseconds>;
  EXPECT_EQ(Encode(true, ColumnType::kBoolean), "\0\0\0\1\1"s);
  EXPECT_EQ(Encode(-2, ColumnType::kTinyint), "\0\0\0\1\xfe"s);
  EXPECT_EQ(Encode(-2, ColumnType::kSmallint), "\0\0\0\2\xff\xfe"s);
  EXPECT_EQ(Encode(300, ColumnType::kTinyint), "the value 300 is not from -128 to 127");
  EXPECT_EQ(Encode(1.0, ColumnType::kDouble), "\0\0\0\x8\x3f\xf0\0\0\0\0\0\0"s);
  EXPECT_EQ(Encode(1.0F, ColumnType::kFloat), "\0\0\0\4\x3f\x80\0\0"s);
  EXPECT_EQ(Encode(Time(microseconds(-1)), ColumnType::kTimestamp), WireWriter().Int(8).Long(-1).Take());
  EXPECT_EQ(Encode(Time(microseconds(1'999)), ColumnType::kTimestamp), WireWriter().Int(8).Long(1).Take());
  EXPECT_EQ(Encode(Time(microseconds(0)), ColumnType::kDate), "\0\0\0\4\x80\0\0\0"s);
  EXPECT_EQ(Encode(Time(microseconds(-1)), ColumnType::kDate), "\0\0\0\4\x7f\xff\xff\xff"s);
  EXPECT_EQ(Encode("10.0.0.1", ColumnType::kInet), "\0\0\0\4\x0a\0\0\1"s);
  EXPECT_EQ(Encode("10.0.0", ColumnType::kInet), "'10.0.0' is no IP address");
  EXPECT_EQ(Encode(CassandraBlob{"\xff"}, ColumnType::kBlob), "\0\0\0\1\xff"s);
  EXPECT_EQ(Encode("ä", ColumnType::kAscii), "a text with characters that are not ASCII");
  EXPECT_EQ(Encode(std::optional<int>(), ColumnType::kInt), kNull);
  EXPECT_EQ(Encode(std::optional<int>(5), ColumnType::kInt), Int(5));
  EXPECT_EQ(Encode(CassandraUnset{}, ColumnType::kInt), kUnset);
  CassandraUuid uuid;
  uuid.bytes[6] = 0x40;
  EXPECT_EQ(Encode(uuid, ColumnType::kUuid).size(), 20U);
  EXPECT_EQ(Encode(uuid, ColumnType::kTimeuuid), "a uuid that is not of version 1 is no timeuuid");
  EXPECT_THROW((CassandraValue(std::numeric_limits<std::uint64_t>::max())), std::out_of_range);
}

TEST(CassandraValues, Utf8IsChecked) {
  for (const char* good : {"", "a", "ä", "€", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Encode(good, ColumnType::kText), Text(good));
  }
  for (const char* bad : {"\x80", "\xc0\x80", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80",
                          "\xf0\x80\x80\x80", "\xff", "\xc3(", "a\xf0\x9f\x98"}) {
    EXPECT_THAT(Encode(bad, ColumnType::kText), HasSubstr("not UTF-8")) << bad;
  }
}

std::string OptionsError(engine::Options more) {
  engine::Options options = {{"contact_points", "h"}, {"keyspace", "k"}, {"table", "t"}, {"columns", "a,b"}};
  for (auto& [name, value] : more) options[name] = value;
  return ErrorOf(MakeSink(Describe("cassandra", std::move(options))));
}

TEST(CassandraOptions, AreCheckedBeforeTheJobRuns) {
  EXPECT_EQ(OptionsError({}), "OK");
  EXPECT_EQ(OptionsError({{"contact_points", "h,,"}}),
            "sink 'x' (cassandra): option contact_points has an empty entry in 'h,,'");
  EXPECT_EQ(
      OptionsError({{"consistency", "LOCAL_QUORUN"}}),
      "sink 'x' (cassandra): option consistency must be LOCAL_QUORUM, ANY, ONE, TWO, THREE, QUORUM, ALL, EACH_QUORUM "
      "or LOCAL_ONE, not 'LOCAL_QUORUN', did you mean 'LOCAL_QUORUM'?");
  EXPECT_EQ(OptionsError({{"columns", "a,b,a"}}), "sink 'x' (cassandra): option columns names 'a' twice");
  EXPECT_EQ(OptionsError({{"username", "u"}}),
            "sink 'x' (cassandra): option password_file is missing; username and password_file need each other");
  EXPECT_EQ(
      OptionsError({{"tls_ca_file", "/ca.pem"}}),
      "sink 'x' (cassandra): option tls is false, but other tls options are set; set it to true, or leave them out");
  EXPECT_THAT(OptionsError({{"marks_table", "t"}}), HasSubstr("the marks need a table of their own"));
  EXPECT_THAT(OptionsError({{"keyspce", "t"}}), HasSubstr("did you mean 'keyspace'?"));
  EXPECT_THAT(OptionsError({{"ttl", "-1"}}), HasSubstr("must be a whole number from 0 to 630720000"));
}

}  // namespace
}  // namespace millrace::cassandra
