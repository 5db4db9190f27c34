// Frames, results and errors of the CQL native protocol: as a server sends them, cut anywhere, and damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "executor/connectors/cassandra/frame.h"
#include "executor/connectors/cassandra/query.h"
#include "executor/connectors/cassandra/request_window.h"
#include "executor/connectors/cassandra/result.h"
#include "executor/connectors/cassandra/server_error.h"
#include "executor/connectors/cassandra/wire.h"
#include "tests/connectors/collect.h"

namespace millrace::cassandra {
namespace {

using namespace std::string_literals;

std::string Response(std::uint8_t version, std::uint8_t flags, std::int16_t stream, std::uint8_t opcode,
                     std::string_view body) {
  WireWriter out;
  out.Byte(version).Byte(flags).Short(static_cast<std::uint16_t>(stream)).Byte(opcode).Bytes(body);
  return out.Take();
}

std::string NextError(std::string_view bytes) {
  FrameCutter in;
  in.Add(bytes);
  return ErrorOf(in.Next());
}

TEST(CassandraFrames, ARequestHasHeaderAndBody) {
  std::string out;
  AppendFrame(out, 258, Opcode::kQuery, "body");
  EXPECT_EQ(out, "\x04\x00\x01\x02\x07\x00\x00\x00\x04"s + "body");
}

TEST(CassandraFrames, FramesAreFoundWhereverTheBytesAreCut) {
  const std::string bytes = Response(0x84, 0, 1, 0x08, "one") + Response(0x84, 0, 2, 0x02, "");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    FrameCutter in;
    std::vector<Frame> frames;
    for (const std::string& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      in.Add(part);
      while (true) {
        auto frame = in.Next();
        ASSERT_TRUE(frame.ok()) << Message(frame.status());
        if (!*frame) break;
        frames.push_back(**frame);
      }
    }
    ASSERT_EQ(frames.size(), 2U) << cut;
    EXPECT_EQ(frames[0].stream, 1);
    EXPECT_EQ(frames[0].opcode, Opcode::kResult);
    EXPECT_EQ(frames[0].body, "one");
    EXPECT_EQ(frames[1].opcode, Opcode::kReady);
  }
}

TEST(CassandraFrames, WarningsAndPayloadsAreLeftOut) {
  WireWriter body;
  body.Raw(std::string(16, 't')).Short(2).String("careful").String("more").Short(1).String("k").Bytes("v").Raw("rest");
  FrameCutter in;
  in.Add(Response(0x84, 0x02 | 0x04 | 0x08, 7, 0x08, body.bytes()));
  auto frame = in.Next();
  ASSERT_TRUE(frame.ok() && *frame);
  EXPECT_EQ((*frame)->body, "rest");
}

TEST(CassandraFrames, MalformedFramesAreRefused) {
  EXPECT_THAT(NextError("HTTP/1.1 400"), testing::HasSubstr("does not speak the CQL native protocol"));
  EXPECT_THAT(NextError("\x04"s), testing::HasSubstr("does not speak the CQL native protocol"));
  EXPECT_THAT(NextError(Response(0x84, 0, 1, 0x07, "")), testing::HasSubstr("opcode 7 is no response"));
  EXPECT_THAT(NextError(Response(0x84, 0, 1, 0x55, "")), testing::HasSubstr("opcode 85 is no response"));
  EXPECT_THAT(NextError(Response(0x85, 0, 1, 0x08, "")), testing::HasSubstr("protocol version 5"));
  EXPECT_THAT(NextError(Response(0x84, 1, 1, 0x08, "")), testing::HasSubstr("compressed"));
  EXPECT_THAT(NextError(Response(0x84, 8, 1, 0x08, "\x00\x05zz"s)), testing::HasSubstr("malformed frame"));
  EXPECT_THAT(NextError("\x84\x00\x00\x01\x08\xff\xff\xff\xff"s), testing::HasSubstr("its length -1 is not from 0"));
  EXPECT_THAT(NextError("\x84\x00\x00\x01\x08\x7f\xff\xff\xff"s), testing::HasSubstr("is not from 0 to 33554432"));
}

TEST(CassandraFrames, AnErrorMayComeInAnOlderVersion) {
  FrameCutter in;
  in.Add(Response(0x83, 0, 0, 0x00, WireWriter().Int(10).String("Invalid or unsupported protocol version").bytes()));
  auto frame = in.Next();
  ASSERT_TRUE(frame.ok() && *frame);
  EXPECT_EQ((*frame)->opcode, Opcode::kError);
}

std::string RowsBody() {
  WireWriter out;
  out.Int(2).Int(1 | 2).Int(3).Bytes("page").String("ks").String("t");
  out.String("name").Short(0x0d);
  out.String("n").Short(0x02);
  out.String("tokens").Short(0x22).Short(0x0d);
  out.Int(2);
  out.Bytes("a").Int(8).Long(-5).Bytes(WireWriter().Int(2).Bytes("1").Bytes("-2").bytes());
  out.Null().Null().Null();
  return out.Take();
}

TEST(CassandraResults, RowsHaveNamesAndNulls) {
  auto rows = ParseRows(RowsBody());
  ASSERT_TRUE(rows.ok()) << Message(rows.status());
  ASSERT_EQ(rows->rows.size(), 2U);
  EXPECT_EQ(rows->paging_state, "page");
  EXPECT_EQ(rows->Text(rows->rows[0], "name"), "a");
  EXPECT_EQ(rows->Number(rows->rows[0], "n"), -5);
  EXPECT_EQ(rows->Texts(rows->rows[0], "tokens"), (std::vector<std::string>{"1", "-2"}));
  EXPECT_FALSE(rows->rows[1][0].has_value());
  EXPECT_EQ(rows->Number(rows->rows[1], "n"), 0);
  EXPECT_EQ(rows->Text(rows->rows[0], "no such column"), "");
}

TEST(CassandraResults, EveryCutIsRefused) {
  const std::string body = RowsBody();
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(ParseRows(std::string_view(body).substr(0, size)).ok()) << size;
  }
}

TEST(CassandraResults, EveryFlippedByteIsReadWithinBounds) {
  const std::string body = RowsBody();
  for (std::size_t i = 0; i < body.size(); ++i) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      std::string bad = body;
      bad[i] = static_cast<char>(bad[i] ^ mask);
      (void)ParseRows(bad).ok();  // the sanitizers of other builds watch
    }
  }
}

TEST(CassandraResults, AGreatCountOfRowsReservesNothing) {
  WireWriter out;
  out.Int(2).Int(4).Int(1).Int(0x7fffffff).Null();
  EXPECT_THAT(ErrorOf(ParseRows(out.bytes())), testing::HasSubstr("shorter than its rows"));
  WireWriter no_columns;
  no_columns.Int(2).Int(4).Int(0).Int(0x7fffffff);
  EXPECT_FALSE(ParseRows(no_columns.bytes()).ok());
}

TEST(CassandraResults, TypesNestedWithoutEndAreRefused) {
  WireWriter out;
  out.Int(2).Int(1).Int(1).String("k").String("t").String("c");
  for (int i = 0; i < 10'000; ++i) out.Short(0x20);
  EXPECT_FALSE(ParseRows(out.bytes()).ok());
}

TEST(CassandraResults, PreparedStatementsHaveAnId) {
  EXPECT_EQ(ParsePrepared(WireWriter().Int(4).String("id").bytes()).value(), "id");
  EXPECT_FALSE(ParsePrepared(WireWriter().Int(4).String("").bytes()).ok());
  EXPECT_FALSE(ParsePrepared(WireWriter().Int(1).bytes()).ok());
}

TEST(CassandraErrors, TellWhatHelps) {
  const auto error = [](std::int32_t code) { return ServerError{code, "why"}; };
  EXPECT_TRUE(absl::IsUnavailable(error(0x1001).ToStatus("s", "writing")));
  EXPECT_TRUE(error(0x1001).overload());
  EXPECT_TRUE(error(0x1100).overload());
  EXPECT_TRUE(error(0x1000).transient());
  EXPECT_FALSE(error(0x1000).overload());
  // What a server says whose replicas of the roles do not answer.
  const ServerError no_roles{0x0100, "Unable to perform authentication: Cannot achieve consistency level QUORUM"};
  EXPECT_TRUE(absl::IsUnavailable(no_roles.ToStatus("s", "logging in")));
  EXPECT_TRUE(no_roles.transient());
  EXPECT_TRUE(absl::IsPermissionDenied(error(0x0100).ToStatus("s", "logging in")));
  EXPECT_TRUE(absl::IsPermissionDenied(error(0x2100).ToStatus("s", "writing")));
  EXPECT_TRUE(absl::IsInvalidArgument(error(0x2200).ToStatus("s", "writing")));
  EXPECT_FALSE(error(0x2200).transient());
  EXPECT_FALSE(error(0x7777).transient());
  EXPECT_EQ(Message(error(0x0100).ToStatus("h:1", "logging in as 'u'")),
            "cassandra h:1: logging in as 'u': the server refuses user name or password: the server says 'why'; check "
            "the options username and password_file");
}

TEST(CassandraErrors, AreReadFromTheirFrame) {
  const ServerError error = ParseServerError(WireWriter().Int(0x1001).String("too much").bytes());
  EXPECT_TRUE(error.is(ErrorCode::kOverloaded));
  EXPECT_EQ(error.message, "too much");
  EXPECT_EQ(ParseServerError("").message, "an error that is cut off");
}

TEST(CassandraQueries, BodiesAreAsTheProtocolSays) {
  EXPECT_EQ(QueryBody({"Q", {}, Consistency::kOne}), "\x00\x00\x00\x01Q\x00\x01\x00"s);
  EXPECT_EQ(QueryBody({"Q", {WireWriter().Bytes("v").Take()}, Consistency::kQuorum, Consistency::kSerial, "p"}),
            "\x00\x00\x00\x01Q\x00\x04\x19\x00\x01\x00\x00\x00\x01v\x00\x00\x00\x01p\x00\x08"s);
  EXPECT_EQ(ExecuteBody("id", 1, WireWriter().Bytes("v").bytes(), 258, Consistency::kLocalQuorum),
            "\x00\x02id\x00\x06\x21\x00\x01\x00\x00\x00\x01v\x00\x00\x00\x00\x00\x00\x01\x02"s);
  EXPECT_EQ(Quoted("a\"b"), "\"a\"\"b\"");
}

TEST(CassandraWindow, HalvesOnceForAWindowAndGrowsSlowly) {
  RequestWindow window(64);
  EXPECT_EQ(window.size(), 32U);
  const std::uint64_t sent = window.Sent();
  for (int i = 0; i < 20; ++i) window.Overloaded(sent);
  EXPECT_EQ(window.size(), 16U);
  window.Overloaded(window.Sent());
  EXPECT_EQ(window.size(), 8U);
  for (int i = 0; i < 8; ++i) window.Answered();
  EXPECT_EQ(window.size(), 9U);
  for (int i = 0; i < 10'000; ++i) window.Answered();
  EXPECT_EQ(window.size(), 64U);
  for (int i = 0; i < 20; ++i) window.Overloaded(window.Sent());
  EXPECT_EQ(window.size(), 1U);
  EXPECT_EQ(RequestWindow(0).size(), 1U);
}

}  // namespace
}  // namespace millrace::cassandra
