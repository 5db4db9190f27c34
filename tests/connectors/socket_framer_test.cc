// Records out of bytes in any pieces, against what was put in.
#include "executor/connectors/socket/framer.h"

#include <gmock/gmock.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace millrace::sockets {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::string_view_literals;

Framing Length(unsigned bytes) { return {.kind = Framing::Kind::kLength, .length_bytes = bytes}; }
Framing Byte(char byte) { return {.kind = Framing::Kind::kDelimiter, .delimiter = byte}; }

std::vector<std::string> TakeAll(Framer& framer) {
  std::vector<std::string> all;
  while (const auto block = framer.Take()) {
    for (std::size_t i = 0; i < block->records.size(); ++i) all.emplace_back(block->at(i));
  }
  return all;
}

std::vector<std::string> Cut(const Framing& framing, std::string_view bytes, bool orderly = true) {
  Framer framer(framing);
  framer.Add(bytes);
  framer.End(orderly);
  return TakeAll(framer);
}

TEST(FramerTest, CutsAtBytes) {
  EXPECT_THAT(Cut({}, "a\r\n\nb\rc\n\r\nd"), ElementsAre("a", "", "b\rc", "", "d"));
  EXPECT_THAT(Cut(Byte('\0'), "a\r\0b\nc\0\0"sv), ElementsAre("a\r", "b\nc", ""));
  EXPECT_THAT(Cut(Byte('\xff'), "a\xff\xfe\xff"), ElementsAre("a", "\xfe"));
  EXPECT_THAT(Cut({}, ""), IsEmpty());
}

TEST(FramerTest, CutsByLengths) {
  EXPECT_THAT(Cut(Length(1), "\1a\0\2bc"sv), ElementsAre("a", "", "bc"));
  EXPECT_THAT(Cut(Length(2), "\0\1a\1\0"sv.substr(0, 3)), ElementsAre("a"));
  EXPECT_THAT(Cut(Length(4), std::string("\0\0\1\2"sv) + std::string(258, 'x')), ElementsAre(std::string(258, 'x')));
}

TEST(FramerTest, PartsOfRecordsAtTheEnd) {
  EXPECT_THAT(Cut({}, "a\nb", true), ElementsAre("a", "b"));
  EXPECT_THAT(Cut({}, "a\nb", false), ElementsAre("a"));
  EXPECT_THAT(Cut(Length(1), "\1a\2b", true), ElementsAre("a")) << "a frame that lacks bytes is none, in order or not";
  EXPECT_THAT(Cut(Length(4), "\0\0"sv, true), IsEmpty());
  Framer framer(Length(2));
  framer.Add("\0\5ab"sv);
  framer.End(true);
  EXPECT_EQ(framer.unfinished(), 1u);
  framer.Add("\0\1z"sv);
  EXPECT_THAT(TakeAll(framer), ElementsAre("z")) << "the next connection begins anew";
}

TEST(FramerTest, TooLongRecordsAreCutOrDropped) {
  for (const bool drop : {false, true}) {
    for (const unsigned bytes : {0U, 4U}) {
      Framing framing = bytes == 0 ? Framing{} : Length(bytes);
      framing.max_bytes = 4;
      framing.drop_too_long = drop;
      Framer framer(framing);
      const std::string all = bytes == 0 ? "1234\n12345\nx\n" : std::string("\0\0\0\0041234\0\0\0\00512345\0\0\0\1x"sv);
      for (const char c : all) framer.Add({&c, 1});
      const auto records = TakeAll(framer);
      if (drop) {
        EXPECT_THAT(records, ElementsAre("1234", "x"));
      } else {
        EXPECT_THAT(records, ElementsAre("1234", "1234", "x"));
      }
      EXPECT_EQ(framer.too_long(), 1u);
    }
  }
}

TEST(FramerTest, AnEndlessRecordTakesNoMemory) {
  Framing framing = Length(4);
  framing.max_bytes = 1000;
  framing.drop_too_long = true;
  Framer framer(framing);
  framer.Add("\xff\xff\xff\xff");
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 4095; ++i) framer.Add(piece);
  framer.Add(std::string_view(piece).substr(1));
  framer.Add("\0\0\0\1y"sv);
  const auto block = framer.Take();
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(block->at(0), "y");
  EXPECT_LT(block->memory(), 10'000u);
}

TEST(FramerTest, AnyPiecesGiveTheSameRecords) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const Framing framing = std::array{Framing{}, Byte('\0'), Length(1), Length(2), Length(4)}[random() % 5];
    std::vector<std::string> want;
    std::string bytes;
    for (int i = static_cast<int>(random() % 40); i > 0; --i) {
      std::string record(random() % 200, 'a');
      for (char& c : record) c = static_cast<char>('a' + random() % 26);
      for (unsigned b = framing.length_bytes; b > 0; --b) bytes += static_cast<char>(record.size() >> (8 * (b - 1)));
      bytes += record;
      if (framing.length_bytes == 0) bytes += framing.delimiter;
      want.push_back(std::move(record));
    }
    Framer framer(framing);
    std::vector<std::string> got;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t n = 1 + random() % 50;
      framer.Add(std::string_view(bytes).substr(at, n));
      at += n;
      if (random() % 3 == 0) {
        for (std::string& record : TakeAll(framer)) got.push_back(std::move(record));
      }
    }
    for (std::string& record : TakeAll(framer)) got.push_back(std::move(record));
    framer.End(false);
    EXPECT_EQ(got, want) << "round " << round;
    EXPECT_EQ(framer.unfinished(), 0u);
  }
}

}  // namespace
}  // namespace millrace::sockets
